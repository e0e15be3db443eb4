/** `(req, res)`: Express style. Every method and path belongs to the function. */
import { isCloudEvent } from "../core/cloudevent";
import type { Invocation } from "../core/invocation";
import { composeHooks } from "../functions/hooks";
import type { HttpFunction, Response } from "../functions/types";
import { quietExpressApp } from "./express-app";
import { nextOf, sendFailure, sendResult } from "./reply";
import type { Signature } from "./signature";
import { isThenable } from "./thenable";

export const http: Signature = {
  name: "http",
  body: "parse",
  create({ function: userFunction, hooks, production }) {
    const fn = userFunction as HttpFunction;
    const declaresResponse = fn.length >= 2;
    const isApplication = fn.length >= 3;
    quietExpressApp(fn);
    const around = hooks.length > 0 ? composeHooks(hooks, fn) : undefined;
    const conclude = (value: unknown, mayAnswerLater: boolean, invocation: Invocation, res: Response) => {
      const { sends } = invocation;
      if (sends && !sends.isEmpty) {
        const again = () => conclude(value, mayAnswerLater, invocation, res);
        return void sends.settle().then(again, (err) => invocation.fail?.(err));
      }
      const isAnswered = answer(res, value, mayAnswerLater, (err) => invocation.fail?.(err));
      if (!isAnswered && !production) warnIfSilent(invocation, res);
    };

    return (invocation, req, res) => {
      const fail = (thrown: unknown) => sendFailure(invocation, res, thrown, { word: "crash", production });
      invocation.fail = fail;
      if (around) {
        const args = isApplication ? [req, res, nextOf(req, res, { production })] : [req, res];
        // What a hook answers in place of the function is an answer, whatever the function declares.
        return void around(invocation, { args, req, res }).then(
          ({ value, isOwn }) => conclude(value, declaresResponse && isOwn, invocation, res),
          fail,
        );
      }
      // Bare call: `this` is undefined, and exactly two arguments arrive unless the function asks for `next`.
      try {
        const result = isApplication ? fn(req, res, nextOf(req, res, { production })) : fn(req, res);
        if (!isThenable(result)) return conclude(result, declaresResponse, invocation, res);
        Promise.resolve(result).then((value) => conclude(value, declaresResponse, invocation, res), fail);
      } catch (err) {
        fail(err);
      }
    };
  },
};

/**
 * A returned value is the answer when the function has not given one itself. A function that declares `res` may
 * still answer later, and returns things by accident (`res`, a timer, a stream): those are no answers. False when
 * there is none yet.
 */
function answer(
  res: Response,
  value: unknown,
  mayAnswerLater: boolean,
  fail: (thrown: unknown) => void,
): boolean {
  if (res.headersSent || res.writableEnded || isPipedInto(res)) return true;
  if (mayAnswerLater && !isMeantAsAnswer(value)) return false;
  try {
    sendResult(res, value);
  } catch (err) {
    fail(err);
  }
  return true;
}

const silence = 5_000; // ms

// The most common mistake of all: nothing is sent, nothing returned, and the client waits.
function warnIfSilent(invocation: Invocation, res: Response): void {
  if (res.writableEnded || res.headersSent) return;
  const timer = setTimeout(() => {
    if (res.headersSent || res.writableEnded) return;
    const request = `${res.req.method} ${res.req.originalUrl}`;
    invocation.log.warn(
      `The function has returned, but ${request} is not answered: call res.send(), or return the answer.`,
    );
  }, silence);
  timer.unref();
  res.once("close", () => clearTimeout(timer));
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
