/** One unary gRPC call over an HTTP/2 stream: its deadline, its answer, its end. */
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";

import { isFrameworkError } from "../../core/errors";
import type { Caller } from "../../core/invocation";
import { log, logError } from "../../core/log";
import { encodings } from "./message";
import { type Code, code, codeOf, encodeMessage, traceparentOf } from "./status";

export class GrpcCall implements Caller {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly req: { readonly rawHeaders: readonly string[] };
  /** False until the answer; false at the close means that nobody has heard it. */
  writableFinished = false;
  closed = false;
  /** The message is there. */
  isRead = false;
  /** It was not there at a look some time ago. */
  isSlow = false;
  readonly #stream: ServerHttp2Stream;
  readonly #listeners: (() => void)[] = [];
  #clock: NodeJS.Timeout | undefined;
  #isAnswered = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]) {
    this.#stream = stream;
    this.path = headers[":path"] ?? "";
    this.headers = headers;
    this.req = { rawHeaders: withTraceparent(headers, rawHeaders) };
    stream.on("error", (err) => log.debug(`A gRPC call has broken off: ${err.message}`)); // `close` comes too
    stream.once("close", () => this.#close());
  }

  /** Called at the end: the caller is gone, its patience is over, or it has its answer. */
  once(_event: "close", listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** `grpc-timeout`: milliseconds that the caller waits. */
  limit(ms: number): void {
    const longest = 2 ** 31 - 1; // what a timer can hold, 24 days
    this.#clock = setTimeout(
      () => {
        this.fail(code.deadlineExceeded, "The caller's deadline is over.");
        this.writableFinished = false; // so that the signal is aborted
        this.#close();
      },
      Math.min(ms, longest),
    );
  }

  /** OK with a message. Says nothing when the answer is given already. */
  answer(message: Buffer): void {
    if (!this.#begin()) return;
    const stream = this.#stream;
    stream.respond(head, waitForTrailers);
    stream.once("wantTrailers", sendOk);
    stream.end(message.length === 0 ? emptyFrame : frame(message));
  }

  /** An error status: an answer of headers alone. */
  fail(status: Code, message: string): void {
    if (!this.#begin()) return;
    const stream = this.#stream;
    stream.respond(
      {
        ...head,
        "grpc-status": String(status),
        "grpc-message": encodeMessage(message),
        "grpc-accept-encoding": encodings,
      },
      { endStream: true },
    );
    if (!stream.readableEnded) discardRest(stream);
  }

  /** Answers what is wrong with the call itself. */
  refuse(err: unknown): void {
    if (isFrameworkError(err)) log.warn(`${err.code} ${err.message}`, { call: this.path });
    else logError(err);
    this.fail(codeOf(err), isFrameworkError(err) ? err.message : "Internal Server Error");
  }

  /** True once, and only where somebody is there to hear it. */
  #begin(): boolean {
    if (this.#isAnswered || this.closed) return false;
    this.#isAnswered = true;
    clearTimeout(this.#clock);
    this.writableFinished = !this.#stream.destroyed && !this.#stream.closed;
    return this.writableFinished;
  }

  #close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.#clock);
    for (const listener of this.#listeners) listener();
  }
}

const lingering = 1_000; // ms

// RFC 9113 §8.1: the caller is told that the rest need not be sent. Not at once: a reset overtakes the answer before it
// (observed on Node 22 and 26), and most callers stop by themselves when they have it.
function discardRest(stream: ServerHttp2Stream): void {
  stream.resume();
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingering).unref();
  stream.once("close", () => clearTimeout(timer));
}

// daprd tells the trace of a topic's event in binary metadata alone.
function withTraceparent(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): readonly string[] {
  const binary = headers["grpc-trace-bin"];
  if (binary === undefined || headers.traceparent !== undefined) return rawHeaders;
  const traceparent = traceparentOf(String(binary));
  return traceparent === undefined ? rawHeaders : [...rawHeaders, "traceparent", traceparent];
}

const head = { ":status": 200, "content-type": "application/grpc" };
const waitForTrailers = { waitForTrailers: true, sendDate: false };
const emptyFrame = Buffer.alloc(5);
const ok = { "grpc-status": "0" };

function frame(message: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(5 + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  message.copy(bytes, 5);
  return bytes;
}

function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers(ok);
}
