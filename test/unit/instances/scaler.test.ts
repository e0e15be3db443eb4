/** How many instances: demand over time, with a clock that the test moves. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createScaler, type ScalerLimits } from "../../../src/instances/scaler";
import { createTestClock } from "../../support/clock";

function setUp(limits: Partial<ScalerLimits> = {}) {
  const clock = createTestClock();
  const all = { min: 0, max: 10, concurrency: 10, target: 0.7, idle: 300, ...limits };
  const scaler = createScaler({ clock, limits: () => all });
  /** Asks every second, as the pool does, and follows the answer. */
  async function run(seconds: number, running: number, demand?: number): Promise<number> {
    if (demand !== undefined) scaler.record(demand);
    let now = running;
    for (let second = 0; second < seconds; second++) {
      await clock.pass(1000);
      now = scaler.desired(now);
    }
    return now;
  }
  return { clock, scaler, limits: all, run };
}

const steady: [what: string, limits: Partial<ScalerLimits>, demand: number, expected: number][] = [
  ["nothing but the minimum when nobody has ever asked", { min: 2 }, 0, 2],
  ["one for one request", {}, 1, 1],
  ["one as long as the target carries it", {}, 7, 1],
  ["two above it", {}, 8, 2],
  ["no more than the maximum", { max: 3 }, 1_000, 3],
  ["no less than the minimum", { min: 4 }, 1, 4],
  ["three requests at once for three places of a third", { concurrency: 10, target: 0.1 }, 3, 3],
];
for (const [what, limits, demand, expected] of steady) {
  test(`steady demand: ${what}`, async () => {
    const { run, limits: all } = setUp(limits);

    assert.equal(await run(90, all.min, demand), expected);
  });
}

test("a rise is followed within the short window, and nothing is taken away before a stable window has passed", async () => {
  const { scaler, run } = setUp();
  let running = await run(120, 1, 5);
  assert.equal(running, 1);

  running = await run(6, running, 30);
  assert.equal(running, 5); // 30 / 7
  running = await run(30, running, 1);
  assert.equal(running, 5);
  running = await run(90, running);

  assert.equal(running, 1);
  assert.equal(scaler.desired(1), 1);
});

test("what is wanted now and has no place is there at once", () => {
  const { scaler } = setUp();

  scaler.record(45);

  assert.equal(scaler.desired(1), 7); // 45 / 7: the first second of a life is all there is to average
});

test("a slow rise adds one by one", async () => {
  const { run } = setUp();
  const counts: number[] = [];
  let running = await run(70, 1, 1);
  for (const demand of [5, 8, 8, 10, 10]) {
    running = await run(60, running, demand);
    counts.push(running);
  }

  assert.deepEqual(counts, [1, 2, 2, 2, 2]);
});

test("the last one goes after the idle time, not before, whatever the windows say", async () => {
  const { run } = setUp({ idle: 20 });
  let running = await run(10, 1, 60);
  assert.ok(running > 1);

  running = await run(19, running, 0);
  assert.ok(running >= 1);
  running = await run(1, running);

  assert.equal(running, 0);
});

test("one stays between the stable window and the idle time", async () => {
  const { run } = setUp({ idle: 300 });
  let running = await run(10, 1, 5);

  running = await run(299, running, 0);
  assert.equal(running, 1);
  running = await run(1, running);

  assert.equal(running, 0);
});

test("after a long silence the average begins anew", async () => {
  const { clock, scaler, run } = setUp({ idle: 10 });
  await run(30, 1, 7);
  await run(10, 1, 0);
  await clock.pass(3_600_000);

  scaler.record(8);
  await clock.pass(500);

  assert.equal(scaler.desired(1), 2);
});

test("a number that somebody sets holds for ten seconds", async () => {
  const { clock, scaler, run } = setUp();
  await run(70, 1, 5);

  scaler.hold(4);
  assert.equal(scaler.desired(1), 4);
  await clock.pass(9_999);
  assert.equal(scaler.desired(4), 4);
  await clock.pass(1);

  assert.equal(scaler.desired(4), 1);
});

test("limits that change are the ones that count", async () => {
  const { scaler, run, limits } = setUp();
  await run(70, 1, 20);

  limits.max = 2;

  assert.equal(scaler.desired(3), 2);
});
