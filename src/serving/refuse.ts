/** Answers to bad input, given before the function runs. */
import type { ServerResponse } from "node:http";

import { isFrameworkError } from "../core/errors";
import { log, logError } from "../core/log";
import { replyText } from "../core/reply";

/** One line of text, no status header. */
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
  if (res.req.readableEnded) end();
  else res.req.once("end", end).resume();
}
