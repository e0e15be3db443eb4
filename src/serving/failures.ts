/**
 * What is remembered of deliveries that failed, so that those who bring them back at once (dapr-proxy after 5 ms) are
 * slowed down: the answer to the first failure is held back a little, to each further one longer.
 */
import type { BackoffRule } from "../core/backoff";

/** Where `--retry` says nothing, milliseconds. */
export const defaultPace: BackoffRule = { initial: 100, factor: 2, max: 5_000 };

export interface Failure {
  /** Failed deliveries of the same message in a row, this one included. */
  count: number;
  /** `Date.now()` at the first of them. */
  since: number;
}

const remembered = 10_000; // messages; the one that failed longest ago is forgotten first

export class Failures {
  readonly #failed = new Map<string, Failure>();
  readonly #pace: BackoffRule;

  constructor(pace: BackoffRule) {
    this.#pace = pace;
  }

  /** Counts one more failure of a message. */
  add(key: string): Failure {
    const { count, since } = this.#failed.get(key) ?? { count: 0, since: Date.now() };
    const failure = { count: count + 1, since };
    this.#failed.delete(key); // to be the youngest
    this.#failed.set(key, failure);
    if (this.#failed.size > remembered) this.#failed.delete(this.#failed.keys().next().value as string);
    return failure;
  }

  /** The message is done. */
  forget(key: string): void {
    this.#failed.delete(key);
  }

  get isEmpty(): boolean {
    return this.#failed.size === 0;
  }

  /** Milliseconds to hold back the answer to so many failures. */
  pauseOf({ count }: Failure): number {
    const { initial, factor, max } = this.#pace;
    return Math.min(initial * factor ** (count - 1), max, defaultPace.max);
  }
}
