/** Time as something that is passed in: what waits for minutes is tested without waiting. */

export interface Clock {
  /** Milliseconds since 1970. Never goes back. */
  now(): number;
  /** Calls `work` once, so many milliseconds from now; the returned function takes it back. */
  after(ms: number, work: () => void): () => void;
}

export const realClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(ms, work) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};
