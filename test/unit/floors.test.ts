import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

type Row = { floor: number; room: string };
type Report = { diagnostics: { code: { value: string }; location: { path: string } }[] };

const root = resolve(__dirname, "../..");

const forms = {
  static: (path: string) => `import { it } from "${path}";\nexport const mine = it;\n`,
  "type-only": (path: string) => `import type { It } from "${path}";\nexport type Mine = It;\n`,
  "inline-type": (path: string) => `export type Mine = import("${path}").It;\n`,
  "re-export": (path: string) => `export { it } from "${path}";\n`,
  "star-re-export": (path: string) => `export * from "${path}";\n`,
  "dynamic-import": (path: string) => `export const mine = () => import("${path}");\n`,
  template: (path: string) => `export const mine = () => import(\`${path}\`);\n`,
  require: (path: string) => `export const mine = require("${path}");\n`,
  "import-require": (path: string) => `import it = require("${path}");\nexport const mine = it;\n`,
  "create-require": (path: string) =>
    `import { createRequire } from "node:module";\nexport const mine = createRequire(__filename)("${path}");\n`,
};

const folder = mkdtempSync(join(tmpdir(), "floors-"));
const forbidden: string[] = [];
const allowed: string[] = [];
let reported: Map<string, string[]>;

before(async () => {
  for (const file of ["biome.json", "biome.floors.grit"]) cpSync(join(root, file), join(folder, file));
  writePairs(await floorTable());
  writeDetours();
  write("src/core/cycle-one.ts", forms.static("./cycle-two"));
  write("src/core/cycle-two.ts", forms.static("./cycle-one"));

  reported = lint();
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("every form of import is refused to rooms on the same floor, rooms above and the entries", () => {
  const missed = forbidden.filter((file) => !reported.get(file)?.includes("plugin"));

  assert.ok(forbidden.length > 1000, `only ${forbidden.length} cases`);
  assert.deepEqual(missed, []);
});

test("imports of lower rooms, of the own room and of packages are let through", () => {
  const refused = allowed.filter((file) => reported.get(file)?.includes("plugin"));

  assert.ok(allowed.length > 500, `only ${allowed.length} cases`);
  assert.deepEqual(refused, []);
});

test("a require() is refused whatever it leads to, a createRequire() is not", () => {
  assert.deepEqual(reported.get("src/cli/require-of-core.ts"), ["lint/style/noCommonJs"]);
  assert.equal(reported.get("src/cli/create-require-of-core.ts"), undefined);
});

test("a cycle inside a room is refused", () => {
  assert.deepEqual(reported.get("src/core/cycle-one.ts"), ["lint/suspicious/noImportCycles"]);
  assert.deepEqual(reported.get("src/core/cycle-two.ts"), ["lint/suspicious/noImportCycles"]);
});

test("what is written from the floor table is up to date", () => {
  const { status, stderr } = check(root);

  assert.equal(stderr, "");
  assert.equal(status, 0);
});

test("a stale picture, a stale linter plugin and a room without a floor are named, with the command to run", () => {
  write("stale/docs/architecture.md", "# House\n\n<!-- floors -->\nold\n<!-- /floors -->\n");
  write("stale/biome.floors.grit", "old");
  write("stale/src/attic/junk.ts", "");
  cpSync(join(root, "scripts/floors.mjs"), join(folder, "stale/scripts/floors.mjs"));

  const { status, stderr } = check(join(folder, "stale"));

  assert.equal(status, 1);
  assert.match(stderr, /src\/attic has no floor\. Add a row to scripts\/floors\.mjs, then run: npm run fix/);
  assert.match(stderr, /biome\.floors\.grit is out of date\. Run: npm run fix/);
  assert.match(stderr, /docs\/architecture\.md is out of date\. Run: npm run fix/);
});

/** One file per ordered pair of rooms and per form, from the room itself and from a folder inside it. */
function writePairs(table: Row[]): void {
  const rooms = table.filter(({ room }) => !room.endsWith(".ts"));
  for (const from of rooms) {
    for (const to of table.filter((row) => row !== from)) {
      const name = to.room.replace(".ts", "-entry");
      const path = to.room.endsWith(".ts") ? to.room.slice(0, -3) : `${to.room}/it`;
      const cases = to.floor < from.floor ? allowed : forbidden;
      for (const [form, source] of Object.entries(forms)) {
        cases.push(write(`src/${from.room}/${form}-of-${name}.ts`, source(`../${path}`)));
      }
      cases.push(write(`src/${from.room}/inner/static-of-${name}.ts`, forms.static(`../../${path}`)));
    }
  }
}

/** Ways around the rule, and paths that only look like one. */
function writeDetours(): void {
  const one = (file: string, path: string) => write(file, forms.static(path));
  forbidden.push(
    one("src/core/detour-dot.ts", "./../cli/it"),
    one("src/core/detour-back.ts", "../core/../cli/it"),
    one("src/core/detour-source.ts", "../../src/cli/it"),
    one("src/core/detour-build.ts", "../../dist/cli/it"),
    one("src/core/detour-extension.ts", "../cli/it.js"),
    one("src/core/detour-folder.ts", "../cli"),
    one("src/core/detour-up.ts", ".."),
    one("src/core/detour-package.ts", "@openfunction/functions-framework"),
    one("src/core/inner/deeper/static-of-cli.ts", "../../../cli/it"),
    one("src/cli/entry-with-extension.ts", "../index.js"),
    one("src/testing.ts", "./index"),
    one("src/gateway.ts", "./testing"),
  );
  allowed.push(
    one("src/core/own-file.ts", "./cli"),
    one("src/core/inner/own-file.ts", "../gateway"),
    one("src/core/inner/own-index.ts", "../index"),
    one("src/core/package.ts", "undici/lib/core/request"),
    one("src/core/manifest.ts", "../../package.json"),
    one("src/local/components/static.ts", "../../core/it"),
    one("src/index.ts", "./gateway/it"),
  );
}

function write(file: string, text: string): string {
  const path = join(folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return file;
}

async function floorTable(): Promise<Row[]> {
  const { floors }: { floors: Row[] } = await import(pathToFileURL(join(root, "scripts/floors.mjs")).href);
  return floors;
}

function lint(): Map<string, string[]> {
  const biome = require.resolve("@biomejs/biome/bin/biome");
  const args = [biome, "lint", "--reporter=rdjson", "--max-diagnostics=none", "."];
  const { stdout } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 2 ** 20,
  });
  const { diagnostics }: Report = JSON.parse(stdout);
  const rules = new Map<string, string[]>();
  for (const { code, location } of diagnostics) {
    rules.set(location.path, [...(rules.get(location.path) ?? []), code.value]);
  }
  return rules;
}

function check(cwd: string) {
  return spawnSync(process.execPath, [join(cwd, "scripts/floors.mjs"), "--check"], { encoding: "utf8" });
}
