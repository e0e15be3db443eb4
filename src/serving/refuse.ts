/** Answers to bad input, given before the function runs. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { type FrameworkError, frameworkError, isFrameworkError } from "../core/errors";
import { log, logError } from "../core/log";
import { problemForm, replyProblem, replyText } from "../core/reply";

/** One line of text, or an object for who accepts nothing but JSON; no status header. */
export function refuse(res: ServerResponse, err: unknown, headers: Record<string, string> = {}): void {
  if (!isFrameworkError(err) || err.status === undefined) {
    logError(err);
    return replyText(res, 500, "Internal Server Error");
  }
  log.debug(`${err.code} ${err.message}`);
  if (err.status === 413) refuseTooLarge(res, err);
  else replyProblem(res, err.status, err.message, { code: err.code, headers });
}

/** 405 with the methods that are allowed; HEAD comes with GET. */
export function refuseMethod(req: IncomingMessage, res: ServerResponse, allowed: readonly string[]): void {
  const all = allowed.flatMap((method) =>
    method === "GET" && !allowed.includes("HEAD") ? [method, "HEAD"] : [method],
  );
  const err = frameworkError("FF_METHOD_NOT_ALLOWED", { method: req.method ?? "", allowed: all });
  refuse(res, err, { Allow: all.join(", ") });
}

/** True when a method is in the list, or there is none; HEAD comes with GET. */
export function acceptsMethod(methods: readonly string[] | undefined, method: string): boolean {
  return methods === undefined || methods.includes(method) || (method === "HEAD" && methods.includes("GET"));
}

const lingering = 1_000; // ms

// Most clients read the answer only after they have written, and a connection that is closed with bytes unread makes
// them lose it: what they still send is thrown away for a moment (RFC 9112 §9.6).
function refuseTooLarge(res: ServerResponse, { message, code }: FrameworkError): void {
  const { type, text } = problemForm(res, message, { code });
  res.writeHead(413, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(text),
    "X-Content-Type-Options": "nosniff",
    Connection: "close",
  });
  res.write(text);
  const end = () => res.end();
  const deadline = setTimeout(end, lingering);
  res.once("close", () => clearTimeout(deadline));
  if (res.req.readableEnded) end();
  else res.req.once("end", end).resume();
}
