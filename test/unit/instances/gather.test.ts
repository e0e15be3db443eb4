/** The metrics of all workers: who is asked, who is waited for, and what the dead have counted. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createGather } from "../../../src/instances/gather";
import { createTestClock, settle } from "../../support/clock";

const figures = (calls: number, running = 0) =>
  `# HELP calls Calls.\n# TYPE calls counter\ncalls ${calls}\n# HELP running Running.\n# TYPE running gauge\nrunning ${running}\n`;

function setUp() {
  const clock = createTestClock();
  const gather = createGather<{ asked: number; measure(): void }>({ clock });
  const member = () => {
    const one = {
      asked: 0,
      measure() {
        one.asked++;
      },
    };
    gather.join(one);
    return one;
  };
  const sum = async (text: Promise<string>) =>
    (await text).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return { clock, gather, member, sum };
}

test("all are asked, and the answer is the sum of theirs", async () => {
  const { gather, member, sum } = setUp();
  const [one, other] = [member(), member()];

  const texts = [gather.text(), gather.text()];
  gather.told(one, figures(3, 1));
  gather.told(other, figures(4, 2));

  assert.deepEqual(await Promise.all(texts.map(sum)), [
    ["calls 7", "running 3"],
    ["calls 7", "running 3"],
  ]);
  assert.deepEqual([one.asked, other.asked], [1, 1], "who asks meanwhile gets the same");
});

test("one that does not answer within a second counts with what it has told last", async () => {
  const { clock, gather, member, sum } = setUp();
  const [one, stuck] = [member(), member()];
  gather.told(stuck, figures(10));

  const text = gather.text();
  gather.told(one, figures(1));
  let isDone = false;
  void text.then(() => {
    isDone = true;
  });
  await clock.pass(999);
  assert.equal(isDone, false);
  await clock.pass(1);

  assert.deepEqual(await sum(text), ["calls 11", "running 0"]);
});

test("the counters of the dead go on counting, their gauges do not, and nobody waits for them", async () => {
  const { clock, gather, member, sum } = setUp();
  const [one, dead] = [member(), member()];
  gather.told(dead, figures(10, 5));

  const text = gather.text();
  gather.told(one, figures(1, 1));
  gather.leave(dead);
  assert.deepEqual(await sum(text), ["calls 11", "running 1"]);
  gather.told(dead, figures(12, 5)); // its last word was still on its way
  await clock.pass(1_000);
  gather.told(dead, figures(99));
  const later = gather.text();
  gather.told(one, figures(1, 1));

  assert.deepEqual(await sum(later), ["calls 13", "running 1"]);
  await settle();
});
