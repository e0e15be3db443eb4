/** Reads replies from a connection, however they are cut, one request after another. */
import { ChunkParser, type ChunkSink } from "./chunk-parser";
import { parseReplyHead, type ReplyHead } from "./reply-head";

/** What is told of a reply. Bytes are valid during the call. */
export interface ReplySink extends ChunkSink {
  /** A 1xx before the reply itself, but no 101. */
  onInformation(head: ReplyHead): void;
  /** 101: from here on the connection speaks another protocol; its first bytes may be there already. What comes later is told as body. */
  onSwitch(head: ReplyHead, first: Buffer): void;
  onHead(head: ReplyHead): void;
  /** Names and values in turn; mostly none. */
  onEnd(trailers: readonly string[]): void;
}

export interface Asked {
  method: string;
  /** The request asked for another protocol, so 101 is an answer. */
  upgrade: boolean;
}

/** Bytes of a head at most. */
export const largestHead = 64 * 1024;

type State = "idle" | "head" | "length" | "chunked" | "close" | "switched";

const noTrailers: readonly string[] = [];

export class ReplyParser {
  /** Something of the reply has come. */
  hasBegun = false;
  #state: State = "idle";
  #asked: Asked | undefined;
  #sink: ReplySink | undefined;
  #left = 0;
  #chunks: ChunkParser | undefined;
  #held: Buffer | undefined; // a head that came in parts
  #heldSize = 0;

  /** A request was sent: a reply is due. */
  begin(asked: Asked, sink: ReplySink): void {
    this.#asked = asked;
    this.#sink = sink;
    this.#state = "head";
    this.hasBegun = false;
  }

  /** No reply is due. */
  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** The connection speaks another protocol. */
  get isSwitched(): boolean {
    return this.#state === "switched";
  }

  /** Reads on. A string says why this is no reply; then nothing more can be read. */
  execute(buffer: Buffer, end: number): string | undefined {
    const sink = this.#sink;
    if (sink === undefined || this.#state === "idle") return "it says more than was asked";
    this.hasBegun = true;
    let at = 0;
    while (at < end) {
      switch (this.#state) {
        case "head": {
          const next = this.#readHead(buffer, at, end, sink);
          if (typeof next === "string") return next;
          at = next;
          break;
        }
        case "length": {
          const stop = Math.min(end, at + this.#left);
          sink.onBody(buffer, at, stop);
          this.#left -= stop - at;
          at = stop;
          if (this.#left === 0) return this.#finish(at, end, noTrailers);
          break;
        }
        case "chunked": {
          const chunks = this.#chunks as ChunkParser;
          at = chunks.execute(buffer, at, end, sink);
          if (chunks.fault !== undefined) return chunks.fault;
          if (chunks.isDone) return this.#finish(at, end, chunks.trailers);
          break;
        }
        case "close":
          sink.onBody(buffer, at, end);
          return undefined;
        case "switched":
          sink.onBody(buffer, at, end);
          return undefined;
        default: // idle again
          return undefined;
      }
    }
    return undefined;
  }

  /** The server has closed its side. True when that is where the reply ends. */
  executeEnd(): boolean {
    if (this.#state !== "close") return false;
    this.#finish(0, 0, noTrailers);
    return true;
  }

  #readHead(buffer: Buffer, start: number, end: number, sink: ReplySink): number | string {
    if (this.#held === undefined) {
      const stop = buffer.indexOf("\r\n\r\n", start, "latin1");
      if (stop >= 0 && stop + 4 <= end)
        return this.#takeHead(buffer.toString("latin1", start, stop), buffer, stop + 4, end, sink);
      this.#held = Buffer.allocUnsafe(largestHead);
      this.#heldSize = 0;
    }
    const held = this.#held;
    const before = this.#heldSize;
    const size = before + buffer.copy(held, before, start, end);
    this.#heldSize = size;
    const stop = held.indexOf("\r\n\r\n", Math.max(0, before - 3), "latin1");
    if (stop >= 0 && stop + 4 <= size) {
      this.#held = undefined;
      return this.#takeHead(held.toString("latin1", 0, stop), buffer, start + stop + 4 - before, end, sink);
    }
    if (size === largestHead) return `its head is larger than ${largestHead} bytes`;
    return canBeHead(held, before, size) ? end : "its head is malformed";
  }

  #takeHead(text: string, buffer: Buffer, at: number, end: number, sink: ReplySink): number | string {
    const head = parseReplyHead(text);
    if (typeof head === "string") return head;
    if (head.status === 101) return this.#switch(head, buffer, at, end, sink);
    if (head.status < 200) {
      sink.onInformation(head);
      return at;
    }
    sink.onHead(head);
    if (this.#asked?.method === "HEAD" || head.status === 204 || head.status === 304 || head.length === 0)
      return this.#finish(at, end, noTrailers) ?? end;
    if (head.isChunked) {
      this.#chunks = new ChunkParser();
      this.#state = "chunked";
    } else if (head.length !== undefined) {
      this.#left = head.length;
      this.#state = "length";
    } else {
      head.isLast = true;
      this.#state = "close";
    }
    return at;
  }

  #switch(head: ReplyHead, buffer: Buffer, at: number, end: number, sink: ReplySink): number | string {
    if (!this.#asked?.upgrade || head.upgrade === undefined)
      return "it changes to a protocol that nobody asked for";
    this.#state = "switched";
    sink.onSwitch(head, Buffer.from(buffer.subarray(at, end)));
    return end;
  }

  // More than the reply is there: whose reply would that be? It may be meant for the next client.
  #finish(at: number, end: number, trailers: readonly string[]): string | undefined {
    if (at < end) return "it says more than was asked";
    const sink = this.#sink;
    this.#state = "idle";
    this.#sink = undefined;
    this.#chunks = undefined;
    sink?.onEnd(trailers);
    return undefined;
  }
}

// Something else than HTTP, and lines that end with LF alone, are known before the timeout.
function canBeHead(held: Buffer, from: number, size: number): boolean {
  const start = "HTTP/1.";
  if (!start.startsWith(held.toString("latin1", 0, Math.min(size, start.length)))) return false;
  for (let at = held.indexOf(0x0a, from); at >= 0 && at < size; at = held.indexOf(0x0a, at + 1))
    if (held[at - 1] !== 0x0d) return false;
  return true;
}
