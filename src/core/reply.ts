/** Replies of the framework itself. */
import type { ServerResponse } from "node:http";

/** Answers a small text; `nosniff`, so that a browser never reads it as a page. */
export function replyText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  reply(res, status, "text/plain; charset=utf-8", text, headers);
}

export function replyJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  reply(res, status, "application/json", JSON.stringify(value), headers);
}

function reply(
  res: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Record<string, string>,
): void {
  if (res.headersSent) {
    res.destroy(); // a half-written answer must look broken, not finished
    return;
  }
  // What was prepared for another answer does not belong to this one.
  for (const name of res.getHeaderNames()) if (name !== "connection") res.removeHeader(name);
  res.writeHead(status, {
    ...headers,
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(text),
    "X-Content-Type-Options": "nosniff",
  });
  res.end(text);
}
