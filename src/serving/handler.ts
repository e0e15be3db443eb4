/** What runs per request of a sync function: method, body, invocation, signature. */
import { frameworkError } from "../core/errors";
import { Invocation, runInvocation } from "../core/invocation";
import { replyText } from "../core/reply";
import type { Request, Response } from "../functions/types";
import type { Signature, Target } from "../signatures/signature";
import { hasListeners } from "../telemetry/channels";
import { hasBody, parseBody, readBody } from "./body";
import { reportInvocation } from "./news";
import { refuse } from "./refuse";
import type { RequestHandler } from "./server";

export interface HandlerOptions {
  target: Target;
  signature: Signature;
  /** Bytes; larger bodies are 413. */
  bodyLimit: number;
}

export function createHandler({ target, signature, bodyLimit }: HandlerOptions): RequestHandler {
  const call = signature.create(target);
  const { methods } = signature;
  const run = (invocation: Invocation, req: Request, res: Response) => {
    if (hasListeners("invocation")) reportAtEnd(invocation, res);
    runInvocation(invocation, call, invocation, req, res);
  };

  return (req, res) => {
    if (methods && !methods.includes(req.method)) return refuseMethod(req, res, methods);
    const invocation = new Invocation(target.name, signature.name, "http", res);
    if (!hasBody(req)) return run(invocation, req, res);

    readBody(req, bodyLimit, (failed, bytes) => {
      const err = failed ?? fillBody(req, bytes, signature);
      if (err) refuse(res, err);
      else run(invocation, req, res);
    });
  };
}

// Express 4's body-parser looks for `_body` and would wait for ever on a stream that is read already.
function fillBody(req: Request, bytes: Buffer, signature: Signature): unknown {
  try {
    req.rawBody = bytes;
    if (signature.body === "parse") req.body = parseBody(req, bytes);
    (req as { _body?: boolean })._body = true;
    return undefined;
  } catch (err) {
    return err;
  }
}

function refuseMethod(req: Request, res: Response, allowed: readonly string[]): void {
  const err = frameworkError("FF_METHOD_NOT_ALLOWED", { method: req.method, allowed: [...allowed] });
  replyText(res, 405, err.message, { Allow: allowed.join(", ") });
}

function reportAtEnd(invocation: Invocation, res: Response): void {
  const started = performance.now();
  res.once("close", () => {
    const failed = invocation.error !== undefined || res.statusCode >= 500 || !res.writableFinished;
    reportInvocation(invocation, { started, outcome: failed ? "error" : "ok", status: res.statusCode });
  });
}
