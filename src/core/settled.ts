/**
 * Waits for work of the user's. What can never be resolved lets Node end in silence, with exit code 0: here it rejects
 * with the error of `unsettled` instead.
 */
export async function settled<T>(work: T | PromiseLike<T>, unsettled: () => Error): Promise<T> {
  let onEmpty: (() => void) | undefined;
  const never = new Promise<never>((_, reject) => {
    onEmpty = () => reject(unsettled());
    process.once("beforeExit", onEmpty);
  });
  try {
    return await Promise.race([work, never]);
  } finally {
    if (onEmpty) process.off("beforeExit", onEmpty);
  }
}
