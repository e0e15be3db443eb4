/** Reads request bodies, only where there is one, and fills `req.rawBody` and `req.body` as Express's parsers do. */
import type { IncomingMessage } from "node:http";
import type { Readable, Transform } from "node:stream";
import type * as Zlib from "node:zlib";

import {
  decodeJsonText,
  decodeText,
  formType,
  parseContentType,
  parseForm,
  parseJson,
} from "../core/content";
import { frameworkError, messageOf } from "../core/errors";
import { hasHeader } from "../core/http";
import { lazyRequire } from "../core/lazy";
import type { Request } from "../functions/types";

/**
 * RFC 9112 §6.3: a request has a body when it says how long it is, or that it is chunked. A length of 0 is a body
 * only when a type says what is empty: clients state it for every POST.
 */
export function hasBody(req: IncomingMessage): boolean {
  if (!hasHeader(req, lengthHeaders)) return false;
  return req.headers["content-length"] !== "0" || req.headers["content-type"] !== undefined;
}

const lengthHeaders = ["content-length", "transfer-encoding"];

/**
 * Reads the whole body, inflated. `done` is called once: with the bytes, or with FF_BODY_TOO_LARGE,
 * FF_BODY_UNSUPPORTED, FF_BODY_MALFORMED. When the client goes away before the end it is not called.
 */
export function readBody(
  req: IncomingMessage,
  limit: number,
  done: (err: unknown, bytes: Buffer) => void,
): void {
  const err = statedTooLarge(req, limit);
  if (err) return done(err, nothing);
  const encoding = req.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (encoding === "identity") return collect(req, req, limit, done);
  const inflate = inflaters.get(encoding);
  if (!inflate)
    return done(
      frameworkError("FF_BODY_UNSUPPORTED", { what: "content encoding", value: encoding }),
      nothing,
    );
  collect(req.pipe(inflate()), req, limit, done);
}

/** FF_BODY_TOO_LARGE when the request says so itself. */
export function statedTooLarge(req: IncomingMessage, limit: number): Error | undefined {
  return Number(req.headers["content-length"]) > limit ? tooLarge(limit) : undefined;
}

/** The same as a promise, for callers off the hot path. */
export function readWholeBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    readBody(req, limit, (err, bytes) => (err ? reject(err) : resolve(bytes))),
  );
}

/** Fills `req.body` from the bytes by the content type. Errors: FF_BODY_MALFORMED, FF_BODY_UNSUPPORTED. */
export function parseBody(req: Request, bytes: Buffer): unknown {
  const { type, charset } = parseContentType(req.headers["content-type"]);
  switch (type) {
    case "application/json":
    case "application/cloudevents+json":
      return parseStrictJson(decodeJsonText(bytes, charset));
    case "text/plain":
      return decodeText(bytes, charset);
    case formType:
      return parseForm(bytes, charset);
    default:
      return bytes;
  }
}

const nothing = Buffer.alloc(0);

const zlib = () => lazyRequire("node:zlib") as typeof Zlib;

const inflaters = new Map<string, () => Transform>([
  ["gzip", () => zlib().createGunzip()],
  ["x-gzip", () => zlib().createGunzip()],
  ["deflate", () => zlib().createInflate()],
  ["br", () => zlib().createBrotliDecompress()],
]);

function collect(
  stream: Readable,
  req: IncomingMessage,
  limit: number,
  done: (err: unknown, bytes: Buffer) => void,
): void {
  let first: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  let size = 0;
  let ended = false;

  const finish = (err: unknown, bytes: Buffer) => {
    if (ended) return;
    ended = true;
    if (err) [first, chunks] = [undefined, undefined];
    if (stream !== req) {
      req.unpipe();
      stream.destroy(); // what it would still inflate can be a thousand times as much
      req.resume(); // what still comes is thrown away, as Node does it for a request that nobody has begun to read
    }
    done(err, bytes);
  };
  stream.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > limit) return finish(tooLarge(limit), nothing);
    if (first === undefined) first = chunk;
    else if (chunks) chunks.push(chunk);
    else chunks = [first, chunk];
  });
  stream.on("end", () => finish(undefined, chunks ? Buffer.concat(chunks, size) : (first ?? nothing)));
  stream.on("error", (err) => {
    // An aborted request is an error of the request itself: nobody is there to be answered.
    if (stream !== req)
      finish(frameworkError("FF_BODY_MALFORMED", { why: messageOf(err) }, { cause: err }), nothing);
  });
}

function tooLarge(limit: number): Error {
  return frameworkError("FF_BODY_TOO_LARGE", { limit });
}

// Objects and arrays only, as the original frameworks have it; an empty body is {}.
function parseStrictJson(text: string): unknown {
  if (text === "") return {};
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "[") {
    throw frameworkError("FF_BODY_MALFORMED", { why: "JSON must be an object or an array here" });
  }
  return parseJson(text);
}
