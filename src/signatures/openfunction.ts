/** `(ctx, data)`: over HTTP POST under runtime Knative; serving/inputs-http calls the same for Dapr's deliveries. */
import { decodeData, formType, isJson, isText, parseContentType, parseForm } from "../core/content";
import type { Invocation } from "../core/invocation";
import type { OpenFunction, Request, Response } from "../functions/types";
import { createContextClass, type Origin } from "./context";
import { isEventRequest, readCloudEvent } from "./event-request";
import { sendFailure, sendResult } from "./reply";
import { isSendResult, Sends } from "./sends";
import type { Signature, Target } from "./signature";

/** Calls the function once and waits for its sends; resolves to its value, rejects when it or a send failed. */
export type OpenFunctionCall = (invocation: Invocation, data: unknown, origin: Origin) => Promise<unknown>;

export function createOpenFunctionCall(target: Target): OpenFunctionCall {
  const fn = target.function as OpenFunction;
  const Context = createContextClass(target);

  async function run(invocation: Invocation, data: unknown, origin: Origin): Promise<unknown> {
    const sends = new Sends(target.outputs, invocation);
    let value: unknown;
    try {
      value = await fn(new Context(invocation, sends, origin), data);
    } catch (err) {
      await sends.settle().catch(() => undefined); // the function's own error is the one to tell
      throw err;
    }
    await sends.settle();
    return isSendResult(value) ? undefined : value;
  }

  return (invocation, data, origin) =>
    new Promise((resolve, reject) => {
      invocation.fail = reject; // an error in a timer of the function ends the call too
      run(invocation, data, origin)
        .finally(() => {
          invocation.settled = true;
        })
        .then(resolve, reject);
    });
}

export const openfunction: Signature = {
  name: "openfunction",
  methods: ["POST"],
  body: "raw",
  create(target) {
    const call = createOpenFunctionCall(target);

    return async (invocation, req, res) => {
      try {
        const value = await call(invocation, dataOf(req), originOf(req, res));
        if (!isAnswered(res)) sendResult(res, value);
      } catch (err) {
        invocation.settled = false; // the answer is still to be given
        sendFailure(invocation, res, err, { word: "error", production: target.production });
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
