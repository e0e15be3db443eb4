/** `(req, res)`: Express style. Every method and path belongs to the function. */
import { isCloudEvent } from "../core/cloudevent";
import type { HttpFunction, Response } from "../functions/types";
import { nextOf, sendFailure, sendResult } from "./reply";
import type { Signature } from "./signature";
import { isThenable } from "./thenable";

export const http: Signature = {
  name: "http",
  body: "parse",
  create({ function: userFunction, production }) {
    const fn = userFunction as HttpFunction;
    const declaresResponse = fn.length >= 2;
    const isApplication = fn.length >= 3;

    return (invocation, req, res) => {
      const fail = (thrown: unknown) => sendFailure(invocation, res, thrown, { word: "crash", production });
      invocation.fail = fail;
      // Bare call: `this` is undefined, and exactly two arguments arrive unless the function asks for `next`.
      try {
        const result = isApplication ? fn(req, res, nextOf(req, res)) : fn(req, res);
        if (result === undefined && declaresResponse) return;
        if (!isThenable(result)) return answer(res, result, declaresResponse, fail);
        Promise.resolve(result).then((value) => answer(res, value, declaresResponse, fail), fail);
      } catch (err) {
        fail(err);
      }
    };
  },
};

/**
 * A returned value is the answer when the function has not given one itself. A function that declares `res` may
 * still answer later, and returns things by accident (`res`, a timer, a stream): those are no answers.
 */
function answer(
  res: Response,
  value: unknown,
  declaresResponse: boolean,
  fail: (thrown: unknown) => void,
): void {
  if (res.headersSent || res.writableEnded || isPipedInto(res)) return;
  if (declaresResponse && !isMeantAsAnswer(value)) return;
  try {
    sendResult(res, value);
  } catch (err) {
    fail(err);
  }
}

// A stream that pipes waits for `unpipe`; its first bytes come later.
function isPipedInto(res: Response): boolean {
  return res.listenerCount("unpipe") > 0;
}

function isMeantAsAnswer(value: unknown): boolean {
  if (typeof value === "string" || ArrayBuffer.isView(value) || Array.isArray(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || isCloudEvent(value);
}
