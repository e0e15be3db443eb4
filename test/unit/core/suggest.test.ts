import assert from "node:assert/strict";
import { test } from "node:test";

import { listed, nearest } from "../../../src/core/suggest";

const names = ["hello", "help", "goodbye", "Greeter"];

const nearestNames: [given: string, found: string | undefined][] = [
  ["hello", "hello"],
  ["helo", "hello"],
  ["hel", "help"],
  ["HELLO", "hello"],
  ["greter", "Greeter"],
  ["godbye", "goodbye"],
  ["something", undefined],
  ["x", undefined],
];

test("the nearest name is one that may have been meant", () => {
  for (const [given, found] of nearestNames) assert.equal(nearest(given, names), found, given);
});

test("of names equally near the first is taken, and of none there is none", () => {
  assert.equal(nearest("bat", ["cat", "hat"]), "cat");
  assert.equal(nearest("bat", []), undefined);
});

test("a name that shares nothing with what was given was not meant", () => {
  assert.equal(nearest("z", ["ts"]), undefined);
  assert.equal(nearest("t", ["ts"]), "ts");
});

test("names as the choices of a sentence", () => {
  assert.equal(listed(["a"]), '"a"');
  assert.equal(listed(new Set(["a", "b", "c"])), '"a", "b", "c"');
  assert.equal(listed([]), "none");
  assert.equal(listed([], "nothing"), "nothing");
});
