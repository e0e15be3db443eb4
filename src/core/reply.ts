/** Replies of the framework itself. */
import type { ServerResponse } from "node:http";

/** Answers a small text; `nosniff`, so that a browser never reads it as a page. */
export function replyText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  reply(res, status, textType, text, headers);
}

export function replyJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  reply(res, status, "application/json", JSON.stringify(value), headers);
}

/** What more a client that reads JSON is told of a problem. */
export interface ProblemFields {
  code?: string;
  /** Of the invocation; it is in the log too. */
  id?: string;
}

/** Answers what went wrong: one line of text, or an object for a client that accepts nothing but JSON. */
export function replyProblem(
  res: ServerResponse,
  status: number,
  message: string,
  { headers = {}, ...fields }: ProblemFields & { headers?: Record<string, string> } = {},
): void {
  const { type, text } = problemForm(res, message, fields);
  reply(res, status, type, text, headers);
}

/** The content type and the text of a problem, by what the client accepts. */
export function problemForm({ req }: ServerResponse, message: string, fields: ProblemFields) {
  return acceptsOnlyJson(req.headers.accept)
    ? { type: "application/json", text: JSON.stringify({ error: message, ...fields }) }
    : { type: textType, text: message };
}

const textType = "text/plain; charset=utf-8";

// Every media type of the header is a JSON one.
function acceptsOnlyJson(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  return accept.split(",").every((type) => /^\s*application\/(?:[\w.+-]*\+)?json\s*(?:;|$)/i.test(type));
}

/** Ends a half-written answer so that it looks broken, not finished: with its connection. */
export function breakOff(res: ServerResponse): void {
  res.destroy();
  if (res.socket !== null) return;
  // It waits behind another request of its client's. Node forgets it when its turn comes, and the client would wait.
  res.assignSocket = (socket) => socket.destroySoon();
}

function reply(
  res: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Record<string, string>,
): void {
  if (res.headersSent) {
    breakOff(res);
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
