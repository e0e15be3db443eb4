/** Reads protocol buffers, as far as Dapr's callbacks need it; core/protobuf writes them. */

import { frameworkError } from "../core/errors";
import { wire } from "../core/protobuf";

/** Messages in messages; the limit of Google's own parsers. */
const deepest = 100;

/** Bytes that are no message: FF_BODY_MALFORMED. Reads field after field: `while (fields.next()) if (fields.tag === id) … else fields.skip()`. */
export class Reader {
  /** Of the field that is read now. */
  tag = 0;
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #depth: number;
  #at: number;

  /**
   * `start`, `end`: the part of the bytes that is the message; a Buffer for every message in a message costs more than
   * reading it. `depth`: in how many messages it lies.
   */
  constructor(bytes: Buffer, start = 0, end = bytes.length, depth = 0) {
    if (depth > deepest) throw malformed(`it is nested deeper than ${deepest}`);
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#depth = depth;
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.tag = this.varint();
    if (this.tag < 8) throw malformed("a field has the number 0");
    return true;
  }

  bytes(): Buffer {
    const length = this.varint();
    const start = this.#at;
    this.#forward(length);
    return this.#bytes.subarray(start, this.#at);
  }

  text(): string {
    const length = this.varint();
    const start = this.#at;
    this.#forward(length);
    return this.#bytes.toString("utf8", start, this.#at);
  }

  message(): Reader {
    const length = this.varint();
    const start = this.#at;
    this.#forward(length);
    return new Reader(this.#bytes, start, this.#at, this.#depth + 1);
  }

  double(): number {
    const start = this.#at;
    this.#forward(8);
    return this.#bytes.readDoubleLE(start);
  }

  /** Exact up to 2^53, which is more than lengths, enumerations and flags need. */
  varint(): number {
    let value = 0;
    for (let index = 0, factor = 1; index < 10; index++, factor *= 128) {
      if (this.#at >= this.#end) throw malformed("it ends in the middle of a field");
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw malformed("a number has more than ten bytes");
  }

  skip(depth = 0): void {
    switch (this.tag % 8) {
      case wire.varint:
        return void this.varint();
      case wire.fixed64:
        return this.#forward(8);
      case wire.bytes:
        return this.#forward(this.varint());
      case wire.fixed32:
        return this.#forward(4);
      case wire.group:
        return this.#skipGroup(this.tag, depth);
      default:
        throw malformed(`a field has the wire type ${this.tag % 8}`);
    }
  }

  #skipGroup(start: number, depth: number): void {
    if (depth > deepest) throw malformed(`it is nested deeper than ${deepest}`);
    while (this.next()) {
      if (this.tag === start + 1) return;
      this.skip(depth + 1);
    }
    throw malformed("a group has no end");
  }

  #forward(length: number): void {
    if (this.#at + length > this.#end) throw malformed("a field is longer than the message");
    this.#at += length;
  }
}

function malformed(why: string): Error {
  return frameworkError("FF_BODY_MALFORMED", { why: `no protocol buffer, ${why}` });
}
