/** `(event)` or `(event, callback)`: the returned value is the reply, `undefined` and `null` are 204. */
import { currentInvocation } from "../core/invocation";
import { composeHooks } from "../functions/hooks";
import type { CloudEvent, Request, Response, UserFunction } from "../functions/types";
import { readCloudEvent } from "./event-request";
import { sendFailure, sendResult } from "./reply";
import type { Signature } from "./signature";
import { isThenable } from "./thenable";

export const cloudevent: Signature = {
  name: "cloudevent",
  methods: ["POST"],
  body: "raw",
  create({ function: userFunction, hooks, production }) {
    const call =
      userFunction.length > 1 ? withCallback(userFunction) : (userFunction as (event: CloudEvent) => unknown);
    const around = hooks.length > 0 ? composeHooks(hooks, call) : undefined;

    return async (invocation, req: Request, res: Response) => {
      const fail = (thrown: unknown) => sendFailure(invocation, res, thrown, { word: "error", production });
      invocation.fail = fail;
      try {
        const event = readCloudEvent(req);
        const result = around
          ? (await around(invocation, { args: [event], event, req, res })).value
          : await call(event);
        if (!res.headersSent && !invocation.settled) sendResult(res, result ?? undefined);
      } catch (err) {
        fail(err);
      }
    };
  },
};

/** A callback-style function as one that returns a promise; the first end counts, its own promise's included. */
function withCallback(userFunction: UserFunction): (event: CloudEvent) => Promise<unknown> {
  const fn = userFunction as (
    event: CloudEvent,
    callback: (err?: unknown, result?: unknown) => void,
  ) => unknown;
  return (event) =>
    new Promise((resolve, reject) => {
      let calls = 0;
      const returned = fn(event, (err, result) => {
        if (++calls === 2)
          currentInvocation()?.log.warn("The callback is called twice; the first call counts.");
        if (err) reject(err);
        else resolve(result);
      });
      if (isThenable(returned)) returned.then(resolve, reject);
    });
}
