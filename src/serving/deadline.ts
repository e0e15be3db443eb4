/** `--timeout`: a wall clock from the arrival of a request. */
import { frameworkError } from "../core/errors";
import type { Invocation } from "../core/invocation";

/**
 * Ends the invocation as failed with FF_FUNCTION_TIMEOUT after the given seconds, then aborts its signal: the answer
 * comes first, so that it is the same whatever the function does when it is aborted. `failEarly` answers while there is
 * no function to fail yet. The returned function stops the clock.
 */
export function startDeadline(
  invocation: Invocation,
  seconds: number,
  failEarly: (err: Error) => void,
): () => void {
  const timer = setTimeout(() => {
    const err = frameworkError("FF_FUNCTION_TIMEOUT", { name: invocation.function, seconds });
    (invocation.fail ?? failEarly)(err);
    invocation.abort(new DOMException(err.message, "TimeoutError"));
  }, seconds * 1000);
  return () => clearTimeout(timer);
}
