import assert from "node:assert/strict";
import { test } from "node:test";

import { JsonSyntaxError, readJson } from "../../../src/core/json";

test("valid JSON is read as JSON.parse reads it", () => {
  for (const text of ["0", " [1, -2.5e+3, true, null] ", '{"a":{"b":"\\u00e9\\n"},"":[]}', '"x"']) {
    assert.deepEqual(readJson(text), JSON.parse(text));
  }
});

const mistakes: [text: string, message: string][] = [
  ['{"runtime": oops}', 'unexpected "o" (line 1 column 13)'],
  ['{"a":1,}', 'unexpected "}" (line 1 column 8)'],
  ["", "unexpected the end (line 1 column 1)"],
  ["[1,2", "unexpected the end (line 1 column 5)"],
  ['{\n  "a" 1\n}', 'unexpected "1" (line 2 column 7)'],
  ['{"a":1} x', 'unexpected "x" (line 1 column 9)'],
  ["{a:1}", 'unexpected "a" (line 1 column 2)'],
  ["[\n\n'a']", 'unexpected "\'" (line 3 column 1)'],
  ["nul", 'unexpected "n" (line 1 column 1)'],
];
for (const [text, message] of mistakes) {
  test(`${JSON.stringify(text)} is broken at its place`, () => {
    assert.throws(
      () => readJson(text),
      (err) => err instanceof JsonSyntaxError && err.message === message,
    );
  });
}
