/** Callback-style functions: the callback comes after the other arguments. */
import { currentInvocation } from "../core/invocation";
import type { Callback, UserFunction } from "../functions/types";
import { isThenable } from "./thenable";

/**
 * A function that declares more than `count` parameters as one that takes `count` and returns a promise. The first
 * end counts: the callback, or the promise that the function returned. Any other function stays as it is.
 */
export function withCallback(userFunction: UserFunction, count: number): (...args: unknown[]) => unknown {
  const fn = userFunction as (...args: unknown[]) => unknown;
  if (fn.length <= count) return fn;
  return (...args) =>
    new Promise((resolve, reject) => {
      let calls = 0;
      const callback: Callback = (err, result) => {
        if (++calls === 2)
          currentInvocation()?.log.warn("The callback is called twice; the first call counts.");
        if (err) reject(err);
        else resolve(result);
      };
      const returned = fn(...args, callback);
      if (isThenable(returned)) returned.then(resolve, reject);
    });
}
