/**
 * Generated requests against served functions: whatever comes, the process lives, every request is answered with a
 * documented status or its connection is closed, and the next one is answered as ever. A third of the cases goes
 * through bare sockets.
 *
 * `FUZZ_COUNT` is how many cases are sent, `FUZZ_SEED` what they are drawn from, `FUZZ_FIRST` the first of them.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { type TestContext, test } from "node:test";
import { watchMemory } from "../support/fuzz/memory";
import { type Figures, type RunningTarget, run } from "../support/fuzz/run";
import { type TargetPlan, targets } from "../support/fuzz/targets";
import { type Framework, startFramework } from "./support/framework";
import { converse } from "./support/http";

const { FUZZ_SEED, FUZZ_FIRST = "0", FUZZ_COUNT = "10000" } = process.env;
const seed = FUZZ_SEED === undefined ? randomInt(2 ** 31) : Number(FUZZ_SEED);
const first = Number(FUZZ_FIRST);
const count = Number(FUZZ_COUNT);
const timeout = 120_000 + count * 10;

/** What a process must never write: a mistake of ours, its end, a warning of Node's (listeners that pile up). */
const alarming = /FF_INTERNAL_ERROR|FF_PROCESS_CRASHED|\(node:\d+\).*/;

test(`${count} generated requests are answered or refused, and nothing breaks`, { timeout }, async (t) => {
  console.log(`FUZZ_SEED=${seed} FUZZ_FIRST=${first} FUZZ_COUNT=${count}`);
  const alarms: string[] = [];
  const starting = targets.map((target) => start(t, target, alarms));
  await Promise.allSettled(starting); // one that fails leaves none behind
  const started = await Promise.all(starting);
  const memory = watchMemory(started.map(({ name, framework }) => ({ name, pid: framework.pid })));

  const figures = await run({
    seed,
    first,
    count,
    targets: started,
    problem: () => {
      memory.look();
      return alarms[0] ?? started.map(endOf).find((end) => end !== undefined);
    },
  });

  for (const target of started) await assertWell(target);
  assert.deepEqual(alarms, []);
  for (const line of [...linesOf(figures), ...memory.lines()]) t.diagnostic(line);
  if (count >= 100_000) memory.assertBounded();
});

async function start(t: TestContext, target: TargetPlan, alarms: string[]): Promise<Started> {
  const { name, args, command, project, env } = target;
  const framework = await startFramework(args, {
    project,
    ...(command && { command }),
    ...(env && { env }),
    keep: 200_000,
    onStderr(text) {
      const found = alarming.exec(text)?.[0];
      if (found) alarms.push(`"${name}" wrote ${found}:\n${text.slice(0, 5_000)}`);
    },
  });
  t.after(() => framework.stop());
  return { ...target, framework, port: framework.port };
}

type Started = RunningTarget & { framework: Framework };

function endOf({ name, framework }: Started): string | undefined {
  return framework.hasEnded()
    ? `the process of "${name}" has ended:\n${framework.stderr.slice(-5_000)}`
    : undefined;
}

/** It answers a plain request, and ends well when it is asked to. */
async function assertWell({ name, port, probe, framework }: Started): Promise<void> {
  const closing = Buffer.from(String(probe.bytes).replace("\r\n", "\r\nConnection: close\r\n"));
  assert.match(await converse(port, String(closing)), /^HTTP\/1\.1 200 /, name);
  const { code } = await framework.stop();
  assert.equal(code, 0, `${name} ends well`);
}

function linesOf({ cases, requests, bytes, statuses, seconds }: Figures): string[] {
  const share = Math.round((100 * bytes.raw) / (bytes.raw + bytes.http));
  return [
    `seed ${seed}: ${cases} cases, ${requests} requests in ${seconds.toFixed(1)} s, ${share} % of the bytes raw`,
    ...[...statuses].map(([name, seen]) => {
      const sorted = [...seen].sort(([one], [other]) => one - other);
      return `${name}: ${sorted.map(([status, times]) => `${status} × ${times}`).join(", ")}`;
    }),
  ];
}
