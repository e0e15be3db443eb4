/** The reply on its way down to the client. */
import type { ServerResponse } from "node:http";

import { trailerPairs } from "./fields";
import type { ReplyHead } from "./reply-head";

/** Bodies up to here go out in one string with their head. */
const smallBody = 16 * 1024;

const latin1 = "latin1"; // whatever the head holds goes out as the bytes that came

/** Passes a 1xx on, where the client can take it (RFC 9110 §15.2) and its turn has come. */
export function writeInformation(res: ServerResponse, { status, reason, headers }: ReplyHead): void {
  if (res.headersSent || res.req.httpVersion !== "1.1" || res.socket === null) return;
  if (status === 100) return res.writeContinue();
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let index = 0; index < headers.length; index += 2)
    text += `${headers[index]}: ${headers[index + 1]}\r\n`;
  res.socket.write(`${text}\r\n`, latin1);
}

/** Head, body and end in one go; the body is used during the call only. */
export function writeWhole(
  res: ServerResponse,
  head: ReplyHead,
  body: Buffer | undefined,
  trailers: readonly string[],
): void {
  writeHead(res, head);
  if (trailers.length > 0) res.addTrailers(trailerPairs(trailers));
  if (body === undefined) res.end();
  else if (body.length > smallBody)
    res.end(Buffer.from(body)); // the write may outlive the call
  else if (head.length === undefined || !writeWithHead(res, body)) res.end(body.toString("latin1"), latin1);
}

/**
 * `end(body)` writes the head, the body and an empty string with one `writev`, which costs a tenth of the whole hop
 * more than one string. Node keeps the head as a string until the first write: a body of known length can go with it.
 */
function writeWithHead(res: ServerResponse, body: Buffer): boolean {
  const pending = res as ServerResponse & { _header?: unknown; _headerSent?: unknown };
  if (typeof pending._header !== "string" || pending._headerSent !== false) return false;
  pending._header += body.toString("latin1");
  res.end();
  return true;
}

/** The head alone, sent at once: a stream may say nothing for a while. */
export function writeHeadNow(res: ServerResponse, head: ReplyHead): void {
  writeHead(res, head);
  res.write("", latin1);
}

export function writeHead(res: ServerResponse, { status, reason, headers }: ReplyHead): void {
  res.writeHead(status, reason, headers);
}

export function writeEnd(res: ServerResponse, trailers: readonly string[]): void {
  if (trailers.length > 0) res.addTrailers(trailerPairs(trailers));
  res.end();
}
