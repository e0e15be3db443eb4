/** `(ctx, data)`: over HTTP POST under runtime Knative; serving/inputs-http calls the same for Dapr's deliveries. */
import { decodeData, formType, isJson, isText, parseContentType, parseForm } from "../core/content";
import type { Invocation } from "../core/invocation";
import { composeHooks } from "../functions/hooks";
import type { OpenFunction, OpenFunctionContext, Request, Response } from "../functions/types";
import { createContextClass, type Origin } from "./context";
import { isEventRequest, readCloudEvent } from "./event-request";
import { sendFailure, sendResult } from "./reply";
import { isSendResult, Sends } from "./sends";
import type { Signature, Target } from "./signature";
import { isThenable } from "./thenable";

/** How a call ends: once, with its value or with what it or one of its sends threw. */
export interface CallEnd {
  done(value: unknown): void;
  failed(thrown: unknown): void;
}

/** Calls the function once, and ends when it and its sends are done. */
export type OpenFunctionCall = (invocation: Invocation, data: unknown, origin: Origin, end: CallEnd) => void;

export function createOpenFunctionCall(target: Target): OpenFunctionCall {
  const fn = target.function as OpenFunction;
  const Context = createContextClass(target);
  const around = target.hooks.length > 0 ? composeHooks(target.hooks, fn) : undefined;
  const call = (
    invocation: Invocation,
    ctx: OpenFunctionContext,
    data: unknown,
    { event, req, res }: Origin,
  ) =>
    around
      ? around(invocation, { args: [ctx, data], ctx, event, req, res }).then(({ value }) => value)
      : fn(ctx, data);

  return (invocation, data, origin, end) => {
    const sends = new Sends(target.outputs, invocation, origin.event);
    const done = (value: unknown) => {
      if (invocation.settled) return;
      invocation.settled = true;
      end.done(isSendResult(value) ? undefined : value);
    };
    const failed = (thrown: unknown) => {
      if (invocation.settled) return;
      invocation.settled = true;
      end.failed(thrown);
    };
    invocation.fail = failed; // an error in a timer of the function ends the call too
    let result: unknown;
    let isLater: boolean;
    try {
      const ctx = new Context(invocation, sends, origin);
      invocation.ctx = ctx;
      result = call(invocation, ctx, data, origin);
      isLater = isThenable(result);
    } catch (err) {
      return void sends.settle().then(
        () => failed(err),
        () => failed(err), // the function's own error is the one to tell
      );
    }
    // A function that is done when it returns costs no promise: on Node 20 each takes about a microsecond here.
    if (sends.isEmpty && !isLater) return done(result);
    finish(result, sends).then(done, failed);
  };
}

async function finish(result: unknown, sends: Sends): Promise<unknown> {
  let value: unknown;
  try {
    value = await result;
  } catch (err) {
    if (!sends.isEmpty) await sends.settle().catch(() => undefined); // the function's own error is the one to tell
    throw err;
  }
  if (!sends.isEmpty) await sends.settle();
  return value;
}

export const openfunction: Signature = {
  name: "openfunction",
  methods: ["POST"],
  body: "raw",
  create(target) {
    const call = createOpenFunctionCall(target);

    return (invocation, req, res) => {
      const failed = (thrown: unknown) => {
        invocation.settled = false; // the answer is still to be given
        sendFailure(invocation, res, thrown, { word: "error", production: target.production });
      };
      const done = (value: unknown) => {
        try {
          if (!isAnswered(res)) sendResult(res, value);
        } catch (err) {
          failed(err);
        }
      };
      try {
        call(invocation, dataOf(req), originOf(req, res), { done, failed });
      } catch (err) {
        failed(err); // the request could not be read
      }
    };
  },
};

// A body that is empty is {}: existing functions read properties of it.
function dataOf(req: Request): unknown {
  const bytes = req.rawBody;
  if (bytes === undefined || bytes.length === 0) return {};
  const contentType = parseContentType(req.headers["content-type"]);
  if (contentType.type === formType) return parseForm(bytes, contentType.charset);
  return isJson(contentType.type) || isText(contentType.type) ? decodeData(bytes, contentType) : bytes;
}

function originOf(req: Request, res: Response): Origin {
  return { req, res, rawBody: req.rawBody, event: isEventRequest(req) ? readCloudEvent(req) : undefined };
}

// The function answered through ctx.res, or has begun to.
function isAnswered(res: Response): boolean {
  return res.headersSent || res.writableEnded;
}
