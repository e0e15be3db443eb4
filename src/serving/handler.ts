/** What runs per request of one function: method, a place, the invocation and its clock, the body, the signature. */
import { frameworkError } from "../core/errors";
import { Invocation, runInvocation } from "../core/invocation";
import type { Request, Response } from "../functions/types";
import { createContextOpener } from "../signatures/current-context";
import type { Signature, Target } from "../signatures/signature";
import { hasListeners } from "../telemetry/channels";
import { hasBody, parseBody, readBody, statedTooLarge } from "./body";
import type { Concurrency } from "./concurrency";
import { startDeadline } from "./deadline";
import { defineListeners, requestListeners, responseListeners } from "./listeners";
import { reportInvocation } from "./news";
import { acceptsMethod, refuse, refuseMethod } from "./refuse";
import { type Carrier, defineInvocationFields, invocationOf } from "./request";
import type { RequestHandler } from "./server";

export interface RequestLimits {
  /** Bytes; larger bodies are 413. */
  bodyLimit: number;
  /** `stream`: the body of an http function is left to it. */
  bodyMode: "parse" | "stream";
  /** Seconds until 504; 0 = for ever. */
  timeout: number;
}

export interface HandlerOptions {
  target: Target;
  signature: Signature;
  limits: RequestLimits;
  /** In upper case; default: those of the signature. */
  methods?: readonly string[] | undefined;
  /** Counts what is in flight; undefined when nobody asks. */
  concurrency?: Concurrency | undefined;
  /** Sees every invocation as it begins. */
  onInvocation?: ((invocation: Invocation) => void) | undefined;
}

export function createHandler(options: HandlerOptions): RequestHandler {
  const { target, signature, limits, concurrency, onInvocation } = options;
  const { name, function: fn, tracing } = target;
  const { bodyLimit, timeout } = limits;
  const call = signature.create(target);
  const { methods = signature.methods } = options;
  const readsBody = signature.body === "raw" || limits.bodyMode === "parse";
  const isApplication = signature.name === "http" && fn.length >= 3;

  const openContext = createContextOpener(target);

  const run = (invocation: Invocation, req: Request, res: Response) => {
    invocation.openContext = openContext;
    if (tracing) {
      invocation.span = tracing.begin(invocation, { rawBody: req.rawBody });
      return invocation.span.run(() => runInvocation(invocation, call, invocation, req, res));
    }
    runInvocation(invocation, call, invocation, req, res);
  };

  return (req, res) => {
    if (methods && !acceptsMethod(methods, req.method)) return refuseMethod(req, res, methods);
    if (concurrency && !concurrency.tryEnter()) return refuseBusy(res, concurrency);
    const invocation = new Invocation(name, signature.name, "http", res);
    (req as Carrier)[invocationOf] = invocation;
    (res as Carrier)[invocationOf] = invocation;
    if (isApplication) keepInvocation(req, res);
    onInvocation?.(invocation);
    if (concurrency || timeout > 0 || tracing || hasListeners("invocation"))
      watch(invocation, res, timeout, concurrency);
    if (!hasBody(req)) return run(invocation, req, res);
    if (!readsBody) {
      const err = statedTooLarge(req, bodyLimit);
      return err ? refuseInvocation(invocation, res, err) : run(invocation, req, res);
    }
    readBody(req, bodyLimit, (failed, bytes) => {
      if (invocation.settled) return; // the deadline was over first
      const err = failed ?? fillBody(req, bytes, signature);
      if (err) refuseInvocation(invocation, res, err);
      else run(invocation, req, res);
    });
  };
}

// An application is going to replace the prototypes of both.
function keepInvocation(req: Request, res: Response): void {
  defineInvocationFields(req);
  defineListeners(req, requestListeners);
  defineListeners(res, responseListeners);
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

// RFC 6585 §4: Retry-After says when it may be worth another try.
function refuseBusy(res: Response, { max }: Concurrency): void {
  refuse(res, frameworkError("FF_CONCURRENCY_EXCEEDED", { limit: max }), { "Retry-After": "1" });
}

/** Follows an invocation to the end of its response: its clock, its place, the news of it. */
function watch(
  invocation: Invocation,
  res: Response,
  timeout: number,
  concurrency: Concurrency | undefined,
): void {
  const started = performance.now();
  const stopClock =
    timeout > 0 ? startDeadline(invocation, timeout, (err) => refuseLate(invocation, res, err)) : undefined;
  res.once("close", () => {
    stopClock?.();
    concurrency?.leave();
    const { span, error } = invocation;
    if (!span && !hasListeners("invocation")) return;
    const failed = error !== undefined || res.statusCode >= 500 || !res.writableFinished;
    const outcome = failed ? "error" : "ok";
    span?.end({ outcome, status: res.statusCode, error });
    reportInvocation(invocation, { started, outcome, status: res.statusCode });
  });
}

// The body has not come in time, so the function was not called: nothing of it failed, but nothing more is read.
function refuseLate(invocation: Invocation, res: Response, err: Error): void {
  refuseInvocation(invocation, res, err, { Connection: "close" });
}

// Before the function is called; the news say that it failed.
function refuseInvocation(
  invocation: Invocation,
  res: Response,
  err: unknown,
  headers?: Record<string, string>,
): void {
  invocation.settled = true;
  invocation.error = err;
  refuse(res, err, headers);
}
