/** What runs per request of a sync function: method, body, invocation, signature. */
import type { ServerResponse } from "node:http";

import { frameworkError, isFrameworkError } from "../core/errors";
import { replyText } from "../core/http";
import { Invocation, runInvocation } from "../core/invocation";
import { log, logError } from "../core/log";
import type { Request, Response } from "../functions/types";
import type { Signature, Target } from "../signatures/signature";
import { hasListeners } from "../telemetry/channels";
import { hasBody, parseBody, readBody } from "./body";
import { reportInvocation } from "./news";
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

  return (req, res) => {
    if (methods && !methods.includes(req.method)) return refuseMethod(req, res, methods);
    const invocation = new Invocation(target.name, signature.name, "http", res);
    if (hasListeners("invocation")) reportAtEnd(invocation, res);
    if (!hasBody(req)) return runInvocation(invocation, call, invocation, req, res);

    readBody(req, bodyLimit, (failed, bytes) => {
      const err = failed ?? fillBody(req, bytes, signature);
      if (err) refuse(res, err);
      else runInvocation(invocation, call, invocation, req, res);
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

/** Answers bad input before the function runs: one line, no status header. */
export function refuse(res: ServerResponse, err: unknown): void {
  if (!isFrameworkError(err) || err.status === undefined) {
    logError(err);
    return replyText(res, 500, "Internal Server Error");
  }
  log.debug(`${err.code} ${err.message}`);
  if (err.status === 413) refuseTooLarge(res, err.message);
  else replyText(res, err.status, err.message);
}

const lingering = 1_000; // ms

// Most clients read the answer only after they have written, and a connection that is closed with bytes unread makes
// them lose it: what they still send is thrown away for a moment (RFC 9112 §9.6).
function refuseTooLarge(res: ServerResponse, text: string): void {
  res.writeHead(413, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    "X-Content-Type-Options": "nosniff",
    Connection: "close",
  });
  res.write(text);
  const end = () => res.end();
  const deadline = setTimeout(end, lingering);
  res.once("close", () => clearTimeout(deadline));
  res.req.once("end", end).resume();
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
