/** How a function that is given events is called and answered for: the value is the reply, `undefined` and `null` are 204. */
import type { Invocation } from "../core/invocation";
import { composeHooks } from "../functions/hooks";
import type { CloudEvent, Request } from "../functions/types";
import { sendFailure, sendResult } from "./reply";
import type { Signature, Target } from "./signature";

/** Calls the function once, through the hooks; they see the event, when there is one. */
export type CallFunction = (args: unknown[], event?: CloudEvent) => unknown;

/** What runs per request: `work` reads the request, calls `fn` through `call`, and ends with the value to send. */
export function answerEvent(
  { hooks, production }: Target,
  fn: (...args: unknown[]) => unknown,
  work: (req: Request, call: CallFunction, invocation: Invocation) => unknown,
): ReturnType<Signature["create"]> {
  const around = hooks.length > 0 ? composeHooks(hooks, fn) : undefined;
  const callAlone: CallFunction = (args) => fn(...args);

  return async (invocation, req, res) => {
    const fail = (thrown: unknown) => sendFailure(invocation, res, thrown, { word: "error", production });
    invocation.fail = fail;
    const call: CallFunction = around
      ? async (args, event) => (await around(invocation, { args, event, req, res })).value
      : callAlone;
    try {
      const result = await work(req, call, invocation);
      if (invocation.sends) await invocation.sends.settle();
      if (!res.headersSent && !invocation.settled) sendResult(res, result ?? undefined);
    } catch (err) {
      fail(err);
    }
  };
}
