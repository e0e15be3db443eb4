/** When a process that ended is started again: 250 ms doubling to 30 s, from the start again once it has served. */

const first = 250;
const longest = 30_000;

export interface RestartPolicy {
  /** Milliseconds to wait before the next start. */
  nextDelay(): number;
  /** It has answered at least once. */
  served(): void;
}

export function createRestartPolicy(): RestartPolicy {
  let delay = first;
  return {
    nextDelay() {
      const now = delay;
      delay = Math.min(delay * 2, longest);
      return now;
    },
    served() {
      delay = first;
    },
  };
}
