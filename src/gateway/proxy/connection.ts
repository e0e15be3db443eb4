/** One connection to an upstream: a request, its reply, the next request. */
import { connect, type Socket } from "node:net";

import type { AddressOptions } from "./address";
import { Deadline } from "./deadline";
import { ReadBuffer } from "./read-buffer";
import { type Asked, ReplyParser, type ReplySink } from "./reply-parser";

/** Why there is no reply, or none to its end. */
export interface Breakage {
  how: "connect" | "connect-timeout" | "busy" | "lost" | "malformed" | "timeout";
  why: string;
  cause?: unknown;
  /** A connection from the pool that was gone before anything of the reply came: its server may be well. */
  isStale: boolean;
  /** No byte of the request has left. */
  isUnsent: boolean;
}

/** Who has a request on the connection. After `onBroken` and after `onEnd` it hears nothing more. */
export interface Conversation extends ReplySink {
  /** The connection is made: the request can be sent. */
  onConnected(): void;
  /** All that has arrived is told, and the reply is not at its end. */
  onPause(): void;
  /** More of the request can be written. */
  onDrain(): void;
  /** The server has closed its side of a connection that changed its protocol. */
  onSwitchedEnd(): void;
  onBroken(breakage: Breakage): void;
}

export interface ConnectionOptions {
  /** Milliseconds. */
  connectTimeout: number;
  /** Called once. */
  onGone(): void;
}

export class Connection {
  /** It has answered a request before. */
  isReused = false;
  /** When it is too old to be taken again, by the clock of the pool. */
  idleUntil = 0;
  readonly address: string;
  #socket: Socket;
  readonly #parser = new ReplyParser();
  readonly #buffer = new ReadBuffer();
  readonly #deadline = new Deadline(() => this.#break("timeout", "no head of a reply within the timeout"));
  #conversation: Conversation | undefined;
  #error: Error | undefined;
  #isUnsent = true;
  #connecting: NodeJS.Timeout | undefined;

  constructor(address: string, to: AddressOptions, { connectTimeout, onGone }: ConnectionOptions) {
    this.address = address;
    this.#connecting = setTimeout(
      () => this.#break("connect-timeout", `no connection within ${connectTimeout} ms`),
      connectTimeout,
    );
    this.#socket = this.#open(to, onGone);
  }

  #open(to: AddressOptions, onGone: () => void): Socket {
    const socket = connect({
      ...to,
      noDelay: true,
      onread: {
        buffer: () => this.#buffer.next(),
        callback: (size, buffer) => this.#onRead(size, buffer as Buffer),
      },
    });
    socket.once("connect", () => {
      this.#stopConnecting();
      this.#conversation?.onConnected();
    });
    socket.on("drain", () => this.#conversation?.onDrain());
    socket.on("error", (err) => {
      this.#error = err;
    });
    socket.on("end", () => this.#onEnd());
    socket.on("close", () => {
      const isConnecting = this.#connecting !== undefined;
      if (isConnecting && isFull(this.#error)) return this.#openLater(to, onGone);
      const why = reasonOf(this.#error) ?? "the connection was closed";
      this.#break(isConnecting ? "connect" : "lost", why);
      onGone();
    });
    return socket;
  }

  #openLater(to: AddressOptions, onGone: () => void): void {
    setTimeout(() => {
      if (this.#connecting === undefined) return onGone(); // somebody has ended it, or its time is over
      this.#error = undefined;
      this.#socket = this.#open(to, onGone);
    }, fullPause);
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#connecting === undefined;
  }

  /** Who is told what happens from here on. */
  attach(conversation: Conversation): void {
    this.#conversation = conversation;
  }

  /** Sends the head of a request; its reply must begin within `timeout` ms, 0 = any time. */
  ask(head: string, asked: Asked, timeout: number): void {
    this.#parser.begin(asked, this.#conversation as Conversation);
    this.#deadline.start(timeout);
    this.#isUnsent = true;
    this.#socket.write(head, "latin1");
    this.#noteSent();
  }

  /** Writes more of the request. False: wait for `onDrain`. */
  write(chunk: Buffer | string): boolean {
    this.#deadline.again();
    return typeof chunk === "string" ? this.#socket.write(chunk, "latin1") : this.#socket.write(chunk);
  }

  /** What is written until `uncork` goes out at once. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
    this.#noteSent();
  }

  /** Something of the request may have left. */
  get hasSent(): boolean {
    return !this.#isUnsent;
  }

  /** No more is written on a connection that changed its protocol. */
  end(): void {
    this.#socket.end();
  }

  /** The head of the reply is there: no deadline holds any more. */
  stopDeadline(): void {
    this.#deadline.stop();
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Bytes of the running call, to be kept longer. */
  keep(buffer: Buffer, start: number, end: number): Buffer {
    return this.#buffer.keep(buffer, start, end);
  }

  /** Nobody's any more; ready for the next request. */
  free(): void {
    this.#conversation = undefined;
    this.#buffer.reset();
    this.#deadline.stop();
    this.isReused = true;
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Ends it; whoever has a request on it is told nothing. */
  destroy(): void {
    this.#conversation = undefined;
    this.#deadline.clear();
    this.#stopConnecting();
    this.#socket.destroy();
  }

  /** Ends it; whoever has a request on it is told. */
  cut(): void {
    this.#break("lost", "the connection was closed here");
  }

  #onRead(size: number, buffer: Buffer): boolean {
    const conversation = this.#conversation;
    const fault = this.#parser.execute(buffer, size);
    if (fault !== undefined) this.#break("malformed", fault);
    else if (!this.#parser.isIdle && this.#conversation === conversation) conversation?.onPause();
    return !this.#socket.isPaused();
  }

  #onEnd(): void {
    if (this.#parser.isSwitched) this.#conversation?.onSwitchedEnd();
    else if (!this.#parser.executeEnd()) this.#break("lost", "the connection was closed");
  }

  #break(how: Breakage["how"], why: string): void {
    const conversation = this.#conversation;
    const isStale = how === "lost" && this.isReused && !this.#parser.hasBegun;
    this.destroy();
    conversation?.onBroken({ how, why, cause: this.#error, isStale, isUnsent: this.#isUnsent });
  }

  // A write is tried at once, as a whole or in part: one that fails by then has sent nothing.
  #noteSent(): void {
    const { errored, writableCorked } = this.#socket;
    if (errored === null && writableCorked === 0) this.#isUnsent = false;
  }

  #stopConnecting(): void {
    clearTimeout(this.#connecting);
    this.#connecting = undefined;
  }
}

const fullPause = 10; // ms

// connect(2): so many wait to be accepted at a UNIX socket that Linux takes no more; at a TCP port it would wait.
function isFull(err: NodeJS.ErrnoException | undefined): boolean {
  return err?.code === "EAGAIN";
}

// An error of several addresses has no message of its own.
function reasonOf(err: NodeJS.ErrnoException | undefined): string | undefined {
  return err && (err.message || err.code || err.name);
}
