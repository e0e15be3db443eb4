/** Errors that no promise and no try catches: the invocation they belong to fails, or the process ends. */
import { frameworkError, messageOf } from "../core/errors";
import { currentInvocation, type Invocation } from "../core/invocation";
import { exitCodes, type Lifecycle } from "../core/lifecycle";
import { logError } from "../core/log";

/**
 * Inside an invocation: it is answered as failed, and the process lives. Outside of any: what is in flight is
 * finished within the grace period, then the process ends with exit code 16.
 */
export function installGuard(lifecycle: Lifecycle): void {
  const onError = (thrown: unknown) => {
    // The failing work's store is the current one here (observed on Node 20, 22, 24).
    const invocation = currentInvocation();
    if (invocation?.fail && !invocation.settled) return failSafely(invocation, thrown);
    if (invocation) return logError(thrown, { function: invocation.function, invocation: invocation.id });
    logError(frameworkError("FF_PROCESS_CRASHED", { why: messageOf(thrown) }, { cause: thrown }));
    void lifecycle.stop("an error outside of any invocation", exitCodes.crashed);
  };
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
}

// An error in this handler would end the process on the spot.
function failSafely(invocation: Invocation, thrown: unknown): void {
  try {
    invocation.fail?.(thrown);
  } catch (err) {
    logError(err, { function: invocation.function, invocation: invocation.id });
  }
}
