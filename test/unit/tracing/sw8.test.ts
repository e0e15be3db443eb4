/** SkyWalking's headers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { formatCorrelation, formatSw8, parseSw8 } from "../../../src/tracing/sw8";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const parts = ["1", "trace", "segment", "3", "shop", "shop-1", "/orders", "127.0.0.1:8080"];
const header = (changes: Record<number, string> = {}) =>
  parts.map((part, index) => changes[index] ?? (index === 0 || index === 3 ? part : base64(part))).join("-");

test("a header is read, and written as it was", () => {
  const read = parseSw8(header());

  assert.deepEqual(read, {
    isSampled: true,
    traceId: "trace",
    segmentId: "segment",
    spanId: 3,
    service: "shop",
    instance: "shop-1",
    endpoint: "/orders",
    address: "127.0.0.1:8080",
  });
  assert.equal(read && formatSw8(read), header());
  assert.equal(parseSw8(header({ 0: "0" }))?.isSampled, false);
});

const bad: [why: string, text: string][] = [
  ["empty", ""],
  ["a word", "broken"],
  ["seven parts", header().split("-").slice(0, 7).join("-")],
  ["nine parts", `${header()}-more`],
  ["another version", header({ 0: "2" })],
  ["no trace", header({ 1: "" })],
  ["no base64", header({ 1: "a b" })],
  ["a span that is no number", header({ 3: "x" })],
  ["a negative span", header({ 3: "" })],
  ["a span without end", header({ 3: "9".repeat(30) })],
  ["a part that is too long", header({ 4: base64("x".repeat(2000)) })],
];

for (const [why, text] of bad) {
  test(`a header that is ignored: ${why}`, () => {
    assert.equal(parseSw8(text), undefined);
  });
}

test("the caller's correlation goes on, and wins over what is added", () => {
  const incoming = `${base64("tenant")}:${base64("acme")}`;

  assert.equal(formatCorrelation(undefined, {}), undefined);
  assert.equal(formatCorrelation("broken,:,a", {}), undefined);
  assert.equal(
    formatCorrelation(incoming, { tenant: "other", team: "blue" }),
    `${incoming},${base64("team")}:${base64("blue")}`,
  );
});
