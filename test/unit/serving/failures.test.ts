import assert from "node:assert/strict";
import { test } from "node:test";

import { defaultPace, Failures } from "../../../src/serving/failures";
import { Pauses } from "../../../src/serving/pauses";

test("each failure of a message in a row is held back twice as long, up to 5 s; others do not count", () => {
  const failures = new Failures(defaultPace);
  const pauses = Array.from({ length: 9 }, () => failures.pauseOf(failures.add("a")));

  const other = failures.pauseOf(failures.add("b"));
  failures.forget("a");
  const again = failures.pauseOf(failures.add("a"));

  assert.deepEqual(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  assert.deepEqual([other, again], [100, 100]);
});

test("a pause of 0 turns it off, and the stated one is bounded too", () => {
  const off = new Failures({ initial: 0, factor: 2, max: 10_000 });
  const long = new Failures({ initial: 60_000, factor: 2, max: 60_000 });

  assert.equal(off.pauseOf(off.add("a")), 0);
  assert.equal(long.pauseOf(long.add("a")), 5000);
});

test("it remembers 10,000 messages, and forgets the one that failed longest ago", () => {
  const failures = new Failures(defaultPace);
  failures.add("first");
  for (let index = 0; index < 9_999; index++) failures.add(`m${index}`);
  const stillKnown = failures.add("first").count;

  for (let index = 0; index < 10_000; index++) failures.add(`n${index}`);

  assert.equal(stillKnown, 2);
  assert.equal(failures.add("first").count, 1);
});

test("pauses end at the stop, and there is room for so many only", () => {
  const pauses = new Pauses({ limit: 2 });
  const ends: string[] = [];
  const hour = 3_600_000;

  const made = [1, 2, 3].map((name) => pauses.pause(hour, (end) => ends.push(`${name} ${end}`)));
  pauses.stop();
  const late = pauses.pause(hour, () => ends.push("late"));

  assert.deepEqual(made, [true, true, false]);
  assert.deepEqual(ends, ["1 stopping", "2 stopping"]);
  assert.equal(late, false);
});
