/** Returned streams and web responses as answers. */
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";

import { bytesOf } from "../core/bytes";
import { hopByHop } from "../core/http";
import type { Response as FunctionResponse } from "../functions/types";

/** A stream of Node's or of the web's. */
export function isStream(value: unknown): value is Readable | ReadableStream {
  const stream = value as Partial<Readable> & Partial<ReadableStream>;
  return (
    typeof stream?.getReader === "function" || (typeof stream?.pipe === "function" && "readable" in stream)
  );
}

/** What `for await` reads, as an async generator makes it. */
export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === "function";
}

/** The texts and bytes of an iterable as a stream; anything else in it is an error of the stream. */
export function streamOf(parts: AsyncIterable<unknown>): Readable {
  return Readable.from(bytesOfEach(parts));
}

async function* bytesOfEach(parts: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const part of parts) {
    if (typeof part === "string") yield Buffer.from(part);
    else if (ArrayBuffer.isView(part)) yield bytesOf(part);
    else
      throw new TypeError(`A part of type ${typeof part} cannot be sent: only texts and bytes are streamed.`);
  }
}

/** What `fetch` resolves to, or the user has made. */
export function isWebResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === "[object Response]";
}

/** Bytes without a type, unless one is set. An error of the stream ends the invocation as failed. */
export function sendStream(
  res: FunctionResponse,
  stream: Readable | ReadableStream,
  fail: (err: unknown) => void,
): void {
  const source = "getReader" in stream ? Readable.fromWeb(stream) : stream;
  if (!res.hasHeader("Content-Type")) res.setHeader("Content-Type", "application/octet-stream");
  source.once("error", fail);
  res.once("close", () => source.destroy());
  source.pipe(res);
}

/** Status, headers and body of the response. */
export function sendWebResponse(
  res: FunctionResponse,
  response: Response,
  fail: (err: unknown) => void,
): void {
  res.status(response.status);
  // A body that fetch has received is inflated and has another length than its headers say.
  const isReceived = response.url !== "";
  for (const [name, value] of response.headers) {
    const isOfTransfer = name === "content-encoding" || name === "content-length";
    if (name === "set-cookie" || (isReceived && isOfTransfer)) continue;
    if (name === "content-length" || !hopByHop.has(name)) res.setHeader(name, value);
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) res.setHeader("Set-Cookie", cookies);
  if (response.body === null) res.end();
  else sendStream(res, response.body as ReadableStream, fail);
}
