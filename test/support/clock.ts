/** A clock that a test moves. */
import type { Clock } from "../../src/core/clock";

export interface TestClock extends Clock {
  /** Moves on and does what is due, in order; promises settle in between. */
  pass(ms: number): Promise<void>;
}

export function createTestClock(start = 1_700_000_000_000): TestClock {
  let now = start;
  let timers: { at: number; work: () => void }[] = [];
  return {
    now: () => now,
    after(ms, work) {
      const timer = { at: now + ms, work };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    async pass(ms) {
      const end = now + ms;
      await settle();
      for (let due = next(end); due; due = next(end)) {
        timers = timers.filter((one) => one !== due);
        now = due.at;
        due.work();
        await settle();
      }
      now = end;
    },
  };

  function next(end: number) {
    return timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
  }
}

/** Everything that promises have made ready is done, and what that has made ready. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
}
