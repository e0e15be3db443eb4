import { setImmediate as nextTurn } from "node:timers/promises";

type OnEnd = (isGood: boolean) => void;

/**
 * A promise that knows whether somebody took it further. `await`, `Promise.all` and `.catch` all come through `then`,
 * because a subclass is never unwrapped in the short way.
 */
export class TrackedPromise<T> extends Promise<T> {
  #isTaken = false;

  /** What is made by `then` is followed by nobody. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Follows work; its failure is no "unhandled rejection", as {@link unhandledFailure} asks for it. */
  static follow<T>(work: Promise<T>, onEnd?: OnEnd): TrackedPromise<T> {
    return TrackedPromise.run((resolve, reject) => void work.then(resolve, reject), onEnd);
  }

  /** The same for work that says its end by a call. `onEnd` comes before anybody who waits for the promise. */
  static run<T>(
    work: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
    onEnd?: OnEnd,
  ): TrackedPromise<T> {
    let tracked: TrackedPromise<T> | undefined;
    let isBad = false;
    tracked = new TrackedPromise<T>((resolve, reject) => {
      work(
        (value) => {
          onEnd?.(true);
          resolve(value);
        },
        (reason) => {
          onEnd?.(false);
          reject(reason);
          if (tracked) void tracked.#peek();
          else isBad = true;
        },
      );
    });
    if (isBad) void tracked.#peek();
    return tracked;
  }

  // biome-ignore lint/suspicious/noThenProperty: the override is the point, see above
  override then<A = T, B = never>(
    onResolved?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isTaken = true;
    return super.then(onResolved, onRejected);
  }

  /** Waits for the end: the failure that nobody handled, or undefined. */
  async unhandledFailure(): Promise<{ reason: unknown } | undefined> {
    const failure = await this.#peek();
    if (!failure || !this.#isTaken) return failure;
    // Somebody took the promise further, perhaps into one that nobody looks at. Node tells of that before the next
    // turn, and the guard fails the invocation before this resolves.
    await nextTurn();
    return undefined;
  }

  // Does not count as handling.
  #peek(): Promise<{ reason: unknown } | undefined> {
    return super.then(
      () => undefined,
      (reason) => ({ reason }),
    );
  }
}
