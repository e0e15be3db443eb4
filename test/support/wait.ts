import { type EventEmitter, once } from "node:events";

/** Resolves when the condition is true; it is asked at every event of the emitter. Fails after the deadline. */
export async function until(
  condition: () => boolean,
  emitter: EventEmitter,
  event: string,
  what: string,
  deadline = 30_000,
) {
  const signal = AbortSignal.timeout(deadline);
  while (!condition()) {
    await once(emitter, event, { signal }).catch(() => {
      throw new Error(`Not within ${deadline} ms: ${what}`);
    });
  }
}

/** A promise with its ends in the open. */
export function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

export async function withDeadline<T>(promise: Promise<T>, what: string, deadline = 30_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${deadline} ms: ${what}`)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
