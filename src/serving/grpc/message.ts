/** The one message of a unary call: a flag, a length of four bytes, the bytes; in any number of DATA frames. */
import type { ServerHttp2Stream } from "node:http2";
import type * as Zlib from "node:zlib";

import { frameworkError, messageOf } from "../../core/errors";
import { lazyRequire } from "../../core/lazy";

const prefix = 5; // bytes

export interface MessageOptions {
  /** Bytes, inflated. */
  limit: number;
  /** `grpc-encoding`. */
  encoding: string;
}

type Done = (err: unknown, message: Buffer) => void;

/**
 * `done` is called once: with the message, or with FF_BODY_TOO_LARGE, FF_BODY_MALFORMED, FF_BODY_UNSUPPORTED. When the
 * caller goes away before the end it is not called.
 */
export function readMessage(
  stream: ServerHttp2Stream,
  { limit, encoding }: MessageOptions,
  done: Done,
): void {
  let first: Buffer | undefined;
  let chunks: Buffer[] | undefined;
  let size = 0;
  let expected = Number.POSITIVE_INFINITY; // bytes, prefix included
  let isDone = false;

  const finish = (err: unknown, frame: Buffer) => {
    if (isDone) return;
    isDone = true;
    if (err) {
      [first, chunks] = [undefined, undefined];
      return done(err, nothing);
    }
    const message = frame.subarray(prefix);
    if (frame[0] === 0) done(undefined, message);
    else inflate(message, { limit, encoding }, done);
  };
  const look = (): Error | undefined => {
    if (expected === Number.POSITIVE_INFINITY && size >= prefix) {
      const start = chunks ? Buffer.concat(chunks) : (first as Buffer);
      expected = prefix + start.readUInt32BE(1);
      if (expected - prefix > limit) return frameworkError("FF_BODY_TOO_LARGE", { limit });
      if ((start[0] as number) > 1) return malformed("it does not begin as a gRPC message");
    }
    return size > expected ? malformed("more than one message came") : undefined;
  };
  stream.on("data", (chunk: Buffer) => {
    if (isDone) return; // what still comes is thrown away
    size += chunk.length;
    if (first === undefined) first = chunk;
    else if (chunks) chunks.push(chunk);
    else chunks = [first, chunk];
    const err = look();
    if (err) finish(err, nothing);
  });
  stream.on("end", () => {
    if (size !== expected) return finish(malformed("it ends before its end"), nothing);
    finish(undefined, chunks ? Buffer.concat(chunks, size) : (first as Buffer));
  });
}

const nothing = Buffer.alloc(0);

function malformed(why: string): Error {
  return frameworkError("FF_BODY_MALFORMED", { why });
}

const zlib = () => lazyRequire("node:zlib") as typeof Zlib;
type Inflate = (
  bytes: Buffer,
  options: Zlib.ZlibOptions,
  done: (err: Error | null, bytes: Buffer) => void,
) => void;
const inflaters = new Map<string, () => Inflate>([
  ["gzip", () => zlib().gunzip],
  ["deflate", () => zlib().inflate],
]);

/** `grpc-accept-encoding`. */
export const encodings = ["identity", ...inflaters.keys()].join(",");

function inflate(message: Buffer, { limit, encoding }: MessageOptions, done: Done): void {
  const open = inflaters.get(encoding);
  if (open === undefined) {
    const err =
      encoding === "identity"
        ? malformed("it is marked as compressed, and grpc-encoding does not say how")
        : frameworkError("FF_BODY_UNSUPPORTED", { what: "grpc-encoding", value: encoding });
    return done(err, nothing);
  }
  open()(message, { maxOutputLength: Math.max(1, limit) }, (err, bytes) => {
    if (err === null) return done(undefined, bytes);
    const isTooLarge = (err as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    done(isTooLarge ? frameworkError("FF_BODY_TOO_LARGE", { limit }) : malformed(messageOf(err)), nothing);
  });
}
