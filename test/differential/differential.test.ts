/** Every fixture under Google's framework 5 and under ours: what differs is in the reviewed list, and nothing else. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import type { Project } from "../e2e/support/projects";
import { differences } from "./differences";
import type { Requests } from "./differences/row";
import { events } from "./scenes/events";
import { applications, http } from "./scenes/http";
import { loading, options } from "./scenes/loading";
import type { Scene } from "./scenes/scene";
import { differencesOf } from "./support/compare";
import type { Answer, Exchange } from "./support/exchange";
import { createServer, makeSides } from "./support/frameworks";

const scenes: Scene[] = [...loading, ...options, ...http, ...applications, ...events];

/** Fixtures that Google's framework has nothing to say to. */
const incomparable: Record<string, string> = {
  "broken-await": "neither ever listens",
  conformance: "registers with event(), which is ours; legacy-events stands for it",
  context: "(ctx, data) functions",
  "event-hooks": "use() and event() are ours",
  events: "registers with event(), which is ours; legacy-events stands for it",
  fuzz: "made for generated requests; the answers themselves are compared elsewhere",
  hooks: "use() is ours",
  several: "several functions in one process",
};

const patience = 10_000;
const shortPatience = 1_500; // for answers that the list says never come

let sides: Project;

before(async () => {
  sides = await makeSides();
});
after(() => sides.remove());

describe("ours and Google's framework", { concurrency: 3 }, () => {
  for (const scene of scenes) {
    test(scene.name, async (t) => {
      const servers = [
        createServer("theirs", sides.folder, scene),
        createServer("ours", sides.folder, scene),
      ] as const;
      t.after(() => Promise.all(servers.map((server) => server.stop())));

      const [theirs, ours] = await Promise.all(servers.map((server) => server.started()));
      const found: [name: string, lines: string[]][] = [
        ["start", theirs === ours ? [] : [`${theirs} → ${ours}`]],
      ];
      if (theirs === "listens" && ours === "listens") {
        // What hangs is asked last and together; everything else alone, so that a failure has one cause.
        const [silent, quick] = partition(Object.entries(scene.requests ?? {}), ([name]) =>
          hangs(scene, name),
        );
        for (const one of quick) found.push(await compare(one));
        found.push(...(await Promise.all(silent.map(compare))));
      }

      assert.deepEqual(
        found.flatMap(([name, lines]) => surprises(scene.name, name, lines)),
        [],
      );

      async function compare([name, asked]: [string, Exchange]): Promise<[string, string[]]> {
        const [theirServer, ourServer] = servers;
        const answers: [Answer, Answer] = await Promise.all([
          theirServer.ask(asked, hangs(scene, name) ? shortPatience : patience),
          ourServer.ask(asked, hangs(scene, name) ? 2 * shortPatience : patience),
        ]);
        return [name, differencesOf(...answers)];
      }
    });
  }
});

test("every fixture is compared", () => {
  const fixtures = readdirSync(join(__dirname, "../fixtures"));
  const compared = new Set([...scenes.map(({ fixture }) => fixture), ...Object.keys(incomparable)]);

  assert.deepEqual(
    fixtures.filter((fixture) => !compared.has(fixture)),
    [],
  );
});

test("every row of the list names requests that are made", () => {
  const known = scenes.flatMap(({ name, requests = {} }) =>
    ["start", ...Object.keys(requests)].map((request) => `${name}: ${request}`),
  );
  const unknown = differences.flatMap((row) =>
    row.requests.filter((request) => !scenesOf(row).some((scene) => known.includes(`${scene}: ${request}`))),
  );

  assert.deepEqual(unknown, []);
});

/** What differs and is not listed, and what is listed and does not differ, as lines. */
function surprises(scene: string, request: string, found: string[]): string[] {
  const listed = differences
    .filter((row) => isListed([row], scene, request))
    .flatMap(({ differs }) => differs);
  const matches = (line: string, pattern: string) =>
    pattern.endsWith("…") ? line.startsWith(pattern.slice(0, -1)) : line === pattern;
  const unlisted = found.filter((line) => !listed.some((pattern) => matches(line, pattern)));
  const gone = listed.filter((pattern) => !found.some((line) => matches(line, pattern)));
  return [
    ...unlisted.map((line) => `${request}: not listed: ${line}`),
    ...gone.map((line) => `${request}: listed, and no longer so: ${line}`),
  ];
}

function hangs({ name }: Scene, request: string): boolean {
  return differences.some(
    (row) => isListed([row], name, request) && row.differs.some((line) => line.includes("hangs →")),
  );
}

function isListed(rows: Requests[], scene: string, request: string): boolean {
  return rows.some((row) => scenesOf(row).includes(scene) && row.requests.includes(request));
}

function scenesOf(row: Pick<Requests, "in">): string[] {
  return typeof row.in === "string" ? [row.in] : row.in;
}

function partition<T>(all: T[], condition: (one: T) => boolean): [T[], T[]] {
  return [all.filter(condition), all.filter((one) => !condition(one))];
}
