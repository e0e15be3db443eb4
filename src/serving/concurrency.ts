/** How many invocations run at once, and who waits for a turn. */

export interface ConcurrencyOptions {
  /** Invocations at once; 0 = unlimited. */
  max: number;
  /** Deliveries that may wait. */
  queue: number;
}

/** Counts what is in flight; HTTP callers are turned away above the limit, deliveries wait in line. */
export class Concurrency {
  readonly max: number;
  readonly queue: number;
  readonly #waiting = new Set<() => void>();
  #inFlight = 0;

  constructor({ max, queue }: ConcurrencyOptions) {
    this.max = max;
    this.queue = queue;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes a place, or says that there is none. */
  tryEnter(): boolean {
    if (this.max > 0 && this.#inFlight >= this.max) return false;
    this.#inFlight++;
    return true;
  }

  /** Calls `start` when there is a place for it, now or later; false when too many wait already. */
  enter(start: () => void): boolean {
    if (this.tryEnter()) {
      start();
      return true;
    }
    if (this.#waiting.size >= this.queue) return false;
    this.#waiting.add(start);
    return true;
  }

  /**
   * Leaves once, however often it is called, and in a tick of its own: a long line of short calls must not pile up on the
   * stack.
   */
  leaver(start: () => void): () => void {
    let isHeld = true;
    return () => {
      if (isHeld) process.nextTick(() => this.leave(start));
      isHeld = false;
    };
  }

  /** Gives a place back, and who waits longest takes it. Who has entered with `start` and still waits is forgotten. */
  leave(start?: () => void): void {
    if (start && this.#waiting.delete(start)) return;
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#inFlight--;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
