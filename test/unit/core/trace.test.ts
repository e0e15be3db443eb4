/** The rules of W3C Trace Context for `traceparent`, and of Google's header. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  parseCloudTrace,
  parseTraceparent,
  traceHeaders,
  traceparentOfCloudTrace,
} from "../../../src/core/trace";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const zeros = (count: number) => "0".repeat(count);

const good = [
  `00-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-00`,
  `00-${traceId}-${spanId}-ff`,
  `01-${traceId}-${spanId}-01`,
  `cc-${traceId}-${spanId}-01`,
  `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`,
  `fe-${traceId}-${spanId}-01-`,
];

for (const header of good) {
  test(`a traceparent that counts: ${header}`, () => {
    assert.deepEqual(parseTraceparent(header), { traceId, spanId });
  });
}

const bad: [why: string, header: string][] = [
  ["empty", ""],
  ["a word", "broken"],
  ["version ff is forbidden", `ff-${traceId}-${spanId}-01`],
  ["a trace of zeros", `00-${zeros(32)}-${spanId}-01`],
  ["a parent of zeros", `00-${traceId}-${zeros(16)}-01`],
  ["more parts than version 00 has", `00-${traceId}-${spanId}-01-more`],
  ["a dash at the end of version 00", `00-${traceId}-${spanId}-01-`],
  ["more without a dash", `cc-${traceId}-${spanId}-01.more`],
  ["upper case", `00-${traceId.toUpperCase()}-${spanId}-01`],
  ["upper case in the parent", `00-${traceId}-${spanId.toUpperCase()}-01`],
  ["upper case in the flags", `00-${traceId}-${spanId}-0A`],
  ["no hex", `00-${traceId.replace("0", "g")}-${spanId}-01`],
  ["a version of one digit", `0-${traceId}-${spanId}-01`],
  ["a version of three digits", `000-${traceId}-${spanId}-01`],
  ["a short trace", `00-${traceId.slice(1)}-${spanId}-01`],
  ["a long trace", `00-${traceId}0-${spanId}-01`],
  ["a short parent", `00-${traceId}-${spanId.slice(1)}-01`],
  ["no flags", `00-${traceId}-${spanId}`],
  ["flags of one digit", `00-${traceId}-${spanId}-1`],
  ["flags of three digits", `00-${traceId}-${spanId}-001`],
  ["spaces around it", ` 00-${traceId}-${spanId}-01 `],
  ["two headers made one", `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`],
];

for (const [why, header] of bad) {
  test(`a traceparent that is ignored: ${why}`, () => {
    assert.equal(parseTraceparent(header), undefined);
  });
}

const cloud: [header: string, trace: object | undefined][] = [
  ["abc123/456;o=1", { traceId: "abc123", spanId: "456" }],
  ["abc123/456", { traceId: "abc123", spanId: "456" }],
  ["abc_123/0;o=0", { traceId: "abc_123", spanId: "0" }],
  ["abc123/456;", { traceId: "abc123", spanId: "456" }],
  ["abc123", undefined],
  ["abc123/", undefined],
  ["abc123/span", undefined],
  ["/456", undefined],
  ["a-b/456", undefined],
  ["abc123/456 ", undefined],
  ["", undefined],
];

for (const [header, trace] of cloud) {
  test(`X-Cloud-Trace-Context ${header === "" ? "that is empty" : header}`, () => {
    assert.deepEqual(parseCloudTrace(header), trace);
  });
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const headers: [what: string, traceparent: unknown, tracestate: unknown, expected: object | undefined][] = [
  ["both", parent, "a=1,b=2", { traceparent: parent, tracestate: "a=1,b=2" }],
  ["no state", parent, undefined, { traceparent: parent }],
  ["an empty state", parent, "", { traceparent: parent }],
  ["a state that is no header", parent, "a=ü", { traceparent: parent }],
  ["a state without a parent", undefined, "a=1", undefined],
  ["a broken parent", "00-1-2-03", "a=1", undefined],
  ["a parent that is no text", 5, undefined, undefined],
];
for (const [what, traceparent, tracestate, expected] of headers) {
  test(`trace headers that go on: ${what}`, () => {
    assert.deepEqual(traceHeaders(traceparent, tracestate), expected);
  });
}

const cloudHeaders: [header: string, expected: string | undefined][] = [
  ["0AF7651916cd43dd8448eb211c80319c/10;o=1", "00-0af7651916cd43dd8448eb211c80319c-000000000000000a-01"],
  ["0af7651916cd43dd8448eb211c80319c/10", "00-0af7651916cd43dd8448eb211c80319c-000000000000000a-00"],
  ["0af7651916cd43dd8448eb211c80319c/0", undefined],
  ["0af7651916cd43dd8448eb211c80319c/99999999999999999999", undefined],
  ["0af7651916cd43dd8448eb211c80319c/999999999999999999999999", undefined],
  ["short/10", undefined],
  ["", undefined],
];
for (const [header, expected] of cloudHeaders) {
  test(`Google's trace header "${header}" in W3C's form is ${expected}`, () => {
    assert.equal(traceparentOfCloudTrace(header), expected);
  });
}
