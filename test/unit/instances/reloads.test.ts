/** When a change becomes a new process, and who waits meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type Change, createReloads } from "../../../src/instances/reloads";
import { createTestClock, settle } from "../../support/clock";
import { deferred } from "../../support/wait";

function setUp() {
  const clock = createTestClock(0);
  const restarts: (Change & { done(): Promise<void> })[] = [];
  let holds = 0;
  const reloads = createReloads({
    clock,
    hold() {
      holds++;
      return () => void holds--;
    },
    restart(change) {
      const end = deferred();
      restarts.push({
        ...change,
        done() {
          end.resolve();
          return settle();
        },
      });
      return end.promise;
    },
  });
  return { clock, reloads, restarts, holds: () => holds };
}

test("requests wait from the moment that something was seen until the new process serves", async () => {
  const { reloads, restarts, holds } = setUp();

  reloads.noteSeen();
  assert.equal(holds(), 1);
  reloads.noteChange(["a.js"]);
  assert.equal(holds(), 1);
  await restarts[0]?.done();

  assert.equal(holds(), 0);
  assert.deepEqual(
    restarts.map(({ files }) => files),
    [["a.js"]],
  );
});

test("what was seen and is no change starts nothing", async () => {
  const { reloads, restarts, holds } = setUp();

  reloads.noteSeen();
  reloads.noteNothing();
  await settle();

  assert.equal(holds(), 0);
  assert.equal(restarts.length, 0);
});

test("changes during a reload are one more, afterwards", async () => {
  const { clock, reloads, restarts, holds } = setUp();
  reloads.noteSeen();
  reloads.noteChange(["a.js"]);

  await clock.pass(10);
  for (const file of ["b.js", "c.js", "b.js"]) {
    reloads.noteSeen();
    reloads.noteChange([file]);
  }
  await settle();
  assert.equal(restarts.length, 1);
  await restarts[0]?.done();

  assert.deepEqual(restarts[1]?.files, ["b.js", "c.js"]);
  assert.equal(restarts[1]?.seen, 10);
  assert.equal(holds(), 1);
  await restarts[1]?.done();
  assert.equal(holds(), 0);
  assert.equal(restarts.length, 2);
});

test("requests wait on while it is not known what was seen at the end of a reload", async () => {
  const { reloads, restarts, holds } = setUp();
  reloads.noteSeen();
  reloads.noteChange(["a.js"]);
  reloads.noteSeen();

  await restarts[0]?.done();
  assert.equal(holds(), 1);
  reloads.noteNothing();

  assert.equal(holds(), 0);
});

test("a load that does not end gives way to a newer change after a second", async () => {
  const { clock, reloads, restarts, holds } = setUp();
  reloads.noteSeen();
  reloads.noteChange(["endless.js"]);
  reloads.noteSeen();
  reloads.noteChange(["endless.js"]);

  await clock.pass(999);
  assert.equal(restarts.length, 1);
  await clock.pass(1);
  assert.equal(restarts.length, 2);
  await restarts[1]?.done();

  assert.equal(holds(), 0);
});

test("after the stop nobody waits and nothing starts", async () => {
  const { reloads, restarts, holds } = setUp();
  reloads.noteSeen();
  reloads.noteChange(["a.js"]);
  reloads.noteChange(["b.js"]);

  reloads.stop();
  await settle();
  reloads.noteSeen();

  assert.equal(holds(), 0);
  assert.equal(restarts.length, 1);
});
