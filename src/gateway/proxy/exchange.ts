/** One request on its way up and its reply on its way down: tries, what is held back, the end. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { FrameworkError } from "../../core/errors";
import { followPipelined } from "../../core/pipelined";
import { writeEnd, writeHead, writeHeadNow, writeInformation, writeWhole } from "./client";
import type { Breakage, Connection, Conversation } from "./connection";
import { upstreamError } from "./errors";
import type { Pool } from "./pool";
import type { ReplyHead } from "./reply-head";
import { RequestBody } from "./request-body";
import type { RequestHead } from "./request-head";
import { Tunnel } from "./tunnel";

/** What became of a request. */
export interface Outcome {
  /** Of the answer; 0 when the client left before there was one. */
  status: number;
  /** Why there is no answer of the upstream, or none to its end. */
  error: FrameworkError | undefined;
  /** The client left before the end. */
  isAborted: boolean;
  /** Where it was sent last. */
  address: string;
}

export interface ExchangeOptions {
  req: IncomingMessage;
  res: ServerResponse;
  head: RequestHead;
  address: string;
  /** Milliseconds to the reply's head; 0 = any time. */
  timeout: number;
  pool: Pool;
  /** The client's connection, when it asks for another protocol; `first` are bytes that came with the request. */
  upgrade: { socket: Socket; first: Buffer } | undefined;
  next: ((err: FrameworkError) => string | undefined | Promise<string | undefined>) | undefined;
  onReply: ((head: ReplyHead) => void) | undefined;
  onError(err: FrameworkError): void;
  onDone: ((outcome: Outcome) => void) | undefined;
}

/** Replies up to here are read whole before their head goes out, when another try is possible. */
const mostHeld = 64 * 1024;

// RFC 9110 §9.2.2: to do these twice is to do them once.
const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"]);

export class Exchange implements Conversation {
  readonly #options: ExchangeOptions;
  readonly #isIdempotent: boolean;
  readonly #body: RequestBody | undefined;
  #address: string;
  #connection: Connection | undefined;
  #isFresh = false; // a stale connection was replaced
  #isLastTry: boolean;
  #head: ReplyHead | undefined;
  #isHeadSent = false;
  #held: Buffer[] = []; // body before its head is sent
  #isBlocked = false;
  #isOver = false;
  #tunnel: Tunnel | undefined;

  constructor(options: ExchangeOptions) {
    const { req, head, address, next } = options;
    this.#options = options;
    this.#address = address;
    this.#isIdempotent = idempotent.has(req.method as string);
    this.#isLastTry = next === undefined;
    this.#body = head.framing === "none" ? undefined : new RequestBody(req, { framing: head.framing });
  }

  start(): void {
    const { res } = this.#options;
    followPipelined(res);
    res.on("close", () => this.#onClientGone());
    this.#send(this.#options.pool.take(this.#address));
  }

  onConnected(): void {
    const { head, req, timeout, upgrade } = this.#options;
    const connection = this.#connection as Connection;
    const asked = { method: req.method as string, upgrade: upgrade !== undefined };
    if (this.#body === undefined) return connection.ask(head.text, asked, timeout);
    connection.cork(); // a small body is there in this tick: it goes out with the head
    connection.ask(head.text, asked, timeout);
    this.#body.sendTo(connection);
    process.nextTick(() => {
      connection.uncork();
      if (connection.hasSent && !this.#isIdempotent) this.#body?.forget();
    });
  }

  onDrain(): void {
    this.#body?.onDrain();
    this.#tunnel?.onDrain();
  }

  onInformation(head: ReplyHead): void {
    if (!this.#isHeadSent) writeInformation(this.#options.res, head);
  }

  onHead(head: ReplyHead): void {
    this.#connection?.stopDeadline();
    this.#head = head;
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.#tunnel) return this.#tunnel.onBody(buffer, start, end);
    if (this.#isHeadSent) this.#writeDown(buffer, start, end);
    else this.#held.push(buffer.subarray(start, end));
  }

  onPause(): void {
    const head = this.#head;
    if (head === undefined || this.#isHeadSent) return;
    if (this.#mayHold(head)) {
      const held = this.#held.at(-1);
      if (held) this.#held[this.#held.length - 1] = Buffer.from(held); // the next read overwrites it
      return;
    }
    const { res } = this.#options;
    this.#beginReply(head);
    if (this.#held.length === 0) return writeHeadNow(res, head);
    writeHead(res, head);
    for (const part of this.#held) this.#writeDown(part, 0, part.length);
    this.#held = [];
  }

  onEnd(trailers: readonly string[]): void {
    const head = this.#head as ReplyHead;
    const { res } = this.#options;
    if (this.#isHeadSent) {
      writeEnd(res, trailers);
    } else {
      this.#beginReply(head);
      writeWhole(res, head, this.#held.length > 1 ? Buffer.concat(this.#held) : this.#held[0], trailers);
    }
    this.#release(head);
    this.#finish(undefined);
  }

  onSwitch(head: ReplyHead, first: Buffer): void {
    const { res, upgrade, onReply } = this.#options;
    const connection = this.#connection as Connection;
    if (upgrade === undefined) return;
    connection.stopDeadline();
    this.#head = head;
    this.#isHeadSent = true;
    onReply?.(head);
    res.detachSocket(upgrade.socket);
    this.#tunnel = new Tunnel(connection, upgrade, () => {
      this.#connection = undefined;
      this.#finish(undefined);
    });
    this.#tunnel.start(head, first);
  }

  onSwitchedEnd(): void {
    this.#tunnel?.onUpstreamEnd();
  }

  onBroken(breakage: Breakage): void {
    this.#connection = undefined;
    this.#body?.detach();
    if (this.#tunnel) return this.#tunnel.onBroken();
    const err = upstreamError(breakage, this.#address, this.#options.timeout);
    if (this.#isHeadSent) {
      this.#options.res.destroy(); // half a reply must look like one
      return this.#finish(err);
    }
    this.#head = undefined;
    this.#held = [];
    const { how, isStale, isUnsent } = breakage;
    const mayRepeat = isUnsent ? this.#isRepeatable() : this.#mayRepeat();
    if (isStale && !this.#isFresh && mayRepeat) {
      this.#isFresh = true;
      return this.#send(undefined);
    }
    if ((isUnsent || how === "lost") && mayRepeat) this.#tryNext(err);
    else this.#fail(err);
  }

  /** Over `connection`, or over a new one. */
  #send(connection: Connection | undefined): void {
    if (connection) {
      this.#connection = connection;
      connection.attach(this);
      return this.onConnected();
    }
    const made = this.#options.pool.connect(this.#address);
    if ("how" in made) return this.onBroken(made);
    this.#connection = made;
    made.attach(this);
  }

  #tryNext(err: FrameworkError): void {
    const { next } = this.#options;
    if (next === undefined || this.#isLastTry) return this.#fail(err);
    const chosen = next(err);
    if (chosen === undefined || typeof chosen === "string") return this.#tryAt(chosen, err);
    chosen.then(
      (address) => this.#tryAt(address, err),
      () => this.#tryAt(undefined, err),
    );
  }

  #tryAt(address: string | undefined, err: FrameworkError): void {
    if (this.#isOver) return; // the client left meanwhile
    if (address === undefined) {
      this.#isLastTry = true;
      return this.#fail(err);
    }
    this.#address = address;
    this.#isFresh = false;
    this.#send(this.#options.pool.take(address));
  }

  #isRepeatable(): boolean {
    return this.#body?.isRepeatable ?? true;
  }

  #mayRepeat(): boolean {
    return this.#isIdempotent && this.#isRepeatable();
  }

  #mayHold({ length }: ReplyHead): boolean {
    return !this.#isLastTry && length !== undefined && length <= mostHeld && this.#mayRepeat();
  }

  #beginReply(head: ReplyHead): void {
    this.#isHeadSent = true;
    this.#options.onReply?.(head);
  }

  #writeDown(buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection as Connection;
    const { res } = this.#options;
    if (res.write(connection.keep(buffer, start, end)) || this.#isBlocked) return;
    this.#isBlocked = true;
    connection.pause();
    res.once("drain", () => {
      this.#isBlocked = false;
      this.#connection?.resume();
    });
  }

  #release({ isLast, keepAlive }: ReplyHead): void {
    const connection = this.#connection as Connection;
    this.#connection = undefined;
    const isSent = this.#body?.isSent ?? true;
    if (isSent && !isLast) return this.#options.pool.free(connection, keepAlive);
    connection.destroy();
    if (!isSent) this.#body?.discard();
  }

  #fail(err: FrameworkError): void {
    const { res, onError } = this.#options;
    this.#body?.discard();
    onError(err);
    this.#finish(err);
    if (!res.writableEnded) res.destroy();
  }

  #onClientGone(): void {
    if (this.#isOver || this.#tunnel) return;
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#finish(undefined, { isAborted: true });
  }

  #finish(error: FrameworkError | undefined, { isAborted = false } = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { res, onDone } = this.#options;
    const status = this.#tunnel ? 101 : res.headersSent ? res.statusCode : 0;
    onDone?.({ status, error, isAborted, address: this.#address });
  }
}
