/** Takes the chunked coding off (RFC 9112 §7.1), strictly: only CR LF ends a line, and sizes are plain hex. */
import { parseField } from "./reply-head";

export interface ChunkSink {
  /** A part of the body; the bytes are valid during the call. */
  onBody(buffer: Buffer, start: number, end: number): void;
}

const longestLine = 8 * 1024;
const mostTrailers = 64 * 1024;
// Extensions are for nobody here and go no further.
const sizeGrammar = /^([0-9A-Fa-f]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/;

type State = "size" | "data" | "data-end" | "trailers" | "done";

export class ChunkParser {
  /** Names and values in turn. */
  readonly trailers: string[] = [];
  /** Why it is no chunked body. */
  fault: string | undefined;
  #state: State = "size";
  #left = 0;
  #line = "";
  #trailersSize = 0;

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Reads on and returns where it stopped: at the end of the body, at a fault, or at `end`. */
  execute(buffer: Buffer, start: number, end: number, sink: ChunkSink): number {
    let at = start;
    while (at < end && this.#state !== "done" && this.fault === undefined) {
      if (this.#state === "data") {
        const stop = Math.min(end, at + this.#left);
        sink.onBody(buffer, at, stop);
        this.#left -= stop - at;
        at = stop;
        if (this.#left === 0) this.#state = "data-end";
      } else {
        at = this.#readLine(buffer, at, end);
      }
    }
    return at;
  }

  #readLine(buffer: Buffer, start: number, end: number): number {
    let stop = start;
    while (stop < end && buffer[stop] !== 0x0a) stop++;
    const isWhole = stop < end;
    if (isWhole) stop++;
    this.#line += buffer.toString("latin1", start, stop);
    if (this.#line.length > longestLine) this.fault = "a line of its chunked body is too long";
    else if (isWhole) this.#takeLine();
    return stop;
  }

  #takeLine(): void {
    const line = this.#line;
    this.#line = "";
    if (!line.endsWith("\r\n")) {
      this.fault = "a line of its chunked body ends without CR";
      return;
    }
    const text = line.slice(0, -2);
    if (this.#state === "size") this.#takeSize(text);
    else if (this.#state === "data-end") this.#takeDataEnd(text);
    else this.#takeTrailer(text);
  }

  #takeSize(text: string): void {
    const size = sizeGrammar.exec(text)?.[1];
    if (size === undefined) {
      this.fault = "the size of a chunk is malformed";
      return;
    }
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? "trailers" : "data";
  }

  #takeDataEnd(text: string): void {
    if (text === "") this.#state = "size";
    else this.fault = "a chunk is longer than its size";
  }

  #takeTrailer(text: string): void {
    if (text === "") {
      this.#state = "done";
      return;
    }
    const field = parseField(text);
    this.#trailersSize += text.length;
    if (field === undefined || this.#trailersSize > mostTrailers) this.fault = "its trailers are malformed";
    else this.trailers.push(...field);
  }
}
