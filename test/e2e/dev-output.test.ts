/** A function that prints without end, under `dev`. PRINTED_MB makes it long (`npm run soak -- printing`). */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { freePorts } from "../support/dev";
import { residentMiB } from "../support/processes";
import { httpFunctionYaml } from "../support/project";
import { until } from "../support/wait";
import { spawnFramework } from "./support/framework";
import { request } from "./support/http";
import { makeUserProject } from "./support/modules";

const megabytes = Number(process.env.PRINTED_MB ?? 20);

test(`${megabytes} MB that a slow reader gets: dev holds little of it, its log the end, and every line comes`, {
  skip: !existsSync("/proc/self/statm"),
}, async (t) => {
  const lines = megabytes * 1_000;
  const project = await makeUserProject(t, {
    "function.yaml": httpFunctionYaml("hello", "hello"),
    "index.mjs": `export const hello = (req, res) => {
      for (let n = 1; n <= ${lines}; n++) process.stdout.write(n + " " + "x".repeat(990) + "\\n");
      res.send("printed");
    };`,
  });
  const numbers: number[] = [];
  let rest = "";
  const dev = spawnFramework(["dev", "--json", "--grace-period=60", ...freePorts], {
    project,
    keep: 10_000,
    onStdout(text) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) {
        const { event, data } = JSON.parse(line);
        if (event === "log") numbers.push(Number(data.text.split(" ")[0]));
      }
    },
  });
  t.after(() => dev.stop());
  const ready = () => /"gateway":"([^"]+)","control":"([^"]+)"/.exec(dev.stdout);
  await until(() => ready() !== null, dev.news, "news", "dev is ready", 60_000);
  const [, gateway, control] = ready() ?? [];
  const before = residentMiB(dev.pid);

  const readOn = dev.holdOutput();
  const reply = await request(`${gateway}/hello`, { deadline: 60_000 });
  await setTimeout(500); // as much as would come has come
  const stalled = residentMiB(dev.pid);
  const early = numbers.length;
  readOn();
  await until(() => numbers.at(-1) === lines, dev.news, "news", "every line comes", 120_000);
  const after = residentMiB(dev.pid);
  const kept = await request(`${control}/v1/functions/hello/logs`);
  const { code } = await dev.stop();

  t.diagnostic(
    `dev: ${before} MiB before, ${stalled} while nobody read, ${after} after; ${early} lines were out`,
  );
  assert.equal(reply.text, "printed");
  assert.ok(early < lines);
  assert.ok(numbers.every((number, index) => number === index + 1));
  assert.equal(numbers.length, lines);
  assert.ok(stalled - before < 60 && after - before < 100, `${before} → ${stalled} → ${after} MiB`);
  assert.ok(kept.body.length < 2_000_000, `${kept.body.length} bytes of log`);
  assert.match(kept.text, new RegExp(`"${lines} x{990}"`));
  assert.equal(code, 0);
});
