const longest = 2 ** 31 - 1; // what a timer can hold

/** One timer for many waits in a row: to start it again costs a third of a new one. */
export class Deadline {
  readonly #onLate: () => void;
  #timer: NodeJS.Timeout | undefined;
  #duration = 0;
  #isArmed = false;

  constructor(onLate: () => void) {
    this.#onLate = onLate;
  }

  /** Begins to wait, or begins again; 0 waits for ever. */
  start(milliseconds: number): void {
    this.#isArmed = milliseconds > 0;
    if (!this.#isArmed) return;
    if (this.#timer && this.#duration === milliseconds) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#duration = milliseconds;
    this.#timer = setTimeout(
      () => {
        if (!this.#isArmed) return; // stopped since: the timer itself runs on
        this.#isArmed = false;
        this.#onLate();
      },
      Math.min(milliseconds, longest),
    ).unref();
  }

  /** Begins again when it waits. */
  again(): void {
    if (this.#isArmed) this.#timer?.refresh();
  }

  stop(): void {
    this.#isArmed = false;
  }

  /** Gives the timer back. */
  clear(): void {
    this.#isArmed = false;
    clearTimeout(this.#timer);
  }
}
