/** Values on the wire that no test could send in reasonable time or size. */
import assert from "node:assert/strict";
import { constants } from "node:buffer";
import { test } from "node:test";

import { asBytes, toBase64, toJson, UnserialisableError } from "../../../src/dapr/wire";

test("bytes whose base64 no string can hold are an error in words", () => {
  const bytes = Buffer.alloc(Math.ceil(constants.MAX_STRING_LENGTH * 0.75) + 4); // never touched: the system gives it lazily

  assert.throws(() => toBase64(bytes), new RegExp(`its ${bytes.length} bytes are too many for a text`));
});

test("a member whose text is {} is no loss when the object is empty, has members of its own, or says it itself", () => {
  class Shown extends Map {
    toJSON() {
      return { size: this.size };
    }
  }
  const fine = {
    a: {},
    b: Object.create(null),
    c: Object.assign(new Map(), { own: 1 }),
    d: new Shown(),
    e: "{}",
  };

  assert.equal(toJson(fine), '{"a":{},"b":{},"c":{"own":1},"d":{"size":0},"e":"{}"}');
});

test("what appears twice is looked at once, however deep", () => {
  const shared = { empty: {} };
  const wide = Array.from({ length: 10_000 }, () => shared);

  assert.match(toJson(wide), /^\[\{"empty":\{\}\}/);
  assert.throws(() => toJson([...wide, { last: new Set() }]), UnserialisableError);
});

test("text is no bytes, views of a part of a buffer are that part", () => {
  const view = new Uint8Array(Buffer.from("abcdef").buffer.slice(0), 0, 0);

  assert.equal(asBytes("text"), undefined);
  assert.equal(asBytes(view)?.length, 0);
  assert.equal(asBytes(new DataView(new Uint8Array([97, 98, 99]).buffer, 1, 1))?.toString(), "b");
});
