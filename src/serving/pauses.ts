/** Deliveries that wait: for their next attempt, or with an answer that would bring them back too soon. */

/** Why a pause is over: its time, or the stop of the server. */
export type PauseEnd = "over" | "stopping";

export class Pauses {
  readonly #limit: number;
  readonly #open = new Set<() => void>();
  #isStopping = false;

  /** Deliveries that may pause at once; the next one is not paused at all. */
  constructor({ limit = 10_000 } = {}) {
    this.#limit = limit;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Calls `then` once, after the pause or at the stop. False, and nothing is called, when there is none to make. */
  pause(ms: number, then: (end: PauseEnd) => void): boolean {
    if (ms <= 0 || this.#isStopping || this.#open.size >= this.#limit) return false;
    const end = (why: PauseEnd) => {
      clearTimeout(timer);
      this.#open.delete(wake);
      then(why);
    };
    const wake = () => end("stopping");
    const timer = setTimeout(end, ms, "over");
    this.#open.add(wake);
    return true;
  }

  /** Ends all pauses; from now on there are none. */
  stop(): void {
    this.#isStopping = true;
    for (const wake of [...this.#open]) wake();
  }
}
