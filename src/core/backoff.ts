/** Pauses that grow: between attempts of a delivery, connections to a broker, starts of a process. */

export interface BackoffRule {
  /** Milliseconds of the first pause. */
  initial: number;
  factor: number;
  /** Milliseconds at most. */
  max: number;
}

export interface Backoff {
  /** The pause to make now, in milliseconds; the next one is longer. */
  next(): number;
  /** Begins again with the first pause. */
  reset(): void;
}

export function createBackoff({ initial, factor, max }: BackoffRule): Backoff {
  let pause = initial;
  return {
    next() {
      const now = pause;
      pause = Math.min(pause * factor, max);
      return now;
    },
    reset() {
      pause = initial;
    },
  };
}
