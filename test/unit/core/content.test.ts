import assert from "node:assert/strict";
import { constants } from "node:buffer";
import { test } from "node:test";

import {
  decodeData,
  decodeText,
  guessData,
  isJson,
  isText,
  parseContentType,
  parseForm,
} from "../../../src/core/content";
import type { FrameworkError } from "../../../src/core/errors";

const contentTypes: [header: string | undefined, type: string | undefined, charset: string | undefined][] = [
  [undefined, undefined, undefined],
  ["", undefined, undefined],
  ["json", undefined, undefined],
  ["a b/c", undefined, undefined],
  ["application/json", "application/json", undefined],
  ["Application/JSON", "application/json", undefined],
  [" text/plain ", "text/plain", undefined],
  ["text/plain;charset=UTF-8", "text/plain", "utf-8"],
  ['text/plain; format=flowed; Charset="ISO-8859-1"', "text/plain", "iso-8859-1"],
  ["application/vnd.x+json; charset=utf-8", "application/vnd.x+json", "utf-8"],
  ["multipart/form-data; boundary=charset", "multipart/form-data", undefined],
];

test("content types", () => {
  for (const [header, type, charset] of contentTypes) {
    assert.deepEqual(parseContentType(header), { type, charset }, header);
  }
});

test("which types are JSON, which text, which neither", () => {
  for (const type of ["application/json", "text/json", "application/vnd.x+json"])
    assert.ok(isJson(type), type);
  for (const type of ["text/plain", "text/html", "text/xml"]) assert.ok(isText(type), type);
  for (const type of [undefined, "application/octet-stream", "application/jsonx", "application/xml"]) {
    assert.ok(!isJson(type) && !isText(type), type);
  }
});

const data: [contentType: string | undefined, text: string, value: unknown][] = [
  ["application/json", '{"a":1}', { a: 1 }],
  ["application/json", "0", 0],
  ["application/json", "null", null],
  ["application/json", "\ufefftrue", true],
  ["application/vnd.x+json", "[1]", [1]],
  ["text/plain", "ü", "ü"],
  ["text/csv; charset=utf-8", "a;b", "a;b"],
  ["application/octet-stream", "a", Buffer.from("a")],
  [undefined, "a", Buffer.from("a")],
];

test("event data by its type", () => {
  for (const [contentType, text, value] of data) {
    assert.deepEqual(decodeData(Buffer.from(text), parseContentType(contentType)), value, contentType);
  }
});

test("broken JSON and unknown charsets have their codes", () => {
  assert.throws(() => decodeData(Buffer.from("{"), parseContentType("application/json")), {
    code: "FF_BODY_MALFORMED",
    status: 400,
  });
  assert.throws(() => decodeData(Buffer.from("{}"), parseContentType("application/json; charset=latin1")), {
    code: "FF_BODY_UNSUPPORTED",
    status: 415,
  });
  assert.throws(() => decodeText(Buffer.from("a"), "x-klingon"), {
    code: "FF_BODY_UNSUPPORTED",
    status: 415,
  });
});

test("text in other charsets", () => {
  assert.equal(decodeText(Buffer.from([0xfc]), "iso-8859-1"), "ü");
  assert.equal(decodeText(Buffer.from("ü", "utf16le"), "utf-16le"), "ü");
});

test("data of senders whose header cannot be trusted", () => {
  const notUtf8 = Buffer.from([0xff, 0xfe]);

  assert.deepEqual(guessData(Buffer.from('{"a":1}'), { json: true }), { a: 1 });
  assert.equal(guessData(Buffer.from('{"a":1}'), { json: false }), '{"a":1}');
  assert.equal(guessData(Buffer.from("plain"), { json: true }), "plain");
  assert.equal(guessData(notUtf8, { json: true }), notUtf8);
});

const forms: [text: string, value: object][] = [
  ["", {}],
  ["a=1&b=", { a: "1", b: "" }],
  ["a=1&a=2", { a: ["1", "2"] }],
  ["a[b]=1&a[c][d]=2", { a: { b: "1", c: { d: "2" } } }],
  ["a[]=1&a[]=2", { a: ["1", "2"] }],
  ["a=x+y%20%C3%BC", { a: "x y ü" }],
  ["toString=1", { toString: "1" }],
];

test("forms", () => {
  for (const [text, value] of forms) assert.deepEqual(parseForm(Buffer.from(text)), value, text);
});

test("a form of a thousand values is a list, one more is refused", () => {
  const values = Array.from({ length: 1000 }, () => "a[]=1").join("&");

  assert.equal((parseForm(Buffer.from(values)) as { a: string[] }).a.length, 1000);
  assert.throws(() => parseForm(Buffer.from(`${values}&a[]=1`)), {
    code: "FF_BODY_TOO_MANY_PARAMETERS",
    status: 413,
  });
});

test("a form cannot reach the prototype of other objects", () => {
  parseForm(Buffer.from("__proto__[polluted]=1&a[__proto__][polluted]=1&constructor[prototype][polluted]=1"));

  assert.equal(({} as { polluted?: string }).polluted, undefined);
});

test("a text longer than a string can be is 413 and says the limit, and data whose type is guessed stays bytes", () => {
  const long = Buffer.alloc(constants.MAX_STRING_LENGTH + 1, "a");

  for (const charset of [undefined, "utf8", "iso-8859-1", "shift_jis", "utf-16le"])
    assert.throws(
      () => decodeText(long, charset),
      (err: FrameworkError) => {
        assert.deepEqual([err.code, err.status], ["FF_BODY_TOO_LARGE", 413], charset);
        return err.message.includes(String(constants.MAX_STRING_LENGTH));
      },
    );
  assert.equal(guessData(long, { json: true }), long);
  assert.equal(guessData(long, { json: false }), long);
  assert.throws(() => decodeText(long.subarray(1), "utf-16le"), /longer|more than/); // the decoder holds less
});
