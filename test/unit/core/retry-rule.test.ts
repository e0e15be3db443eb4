import assert from "node:assert/strict";
import { test } from "node:test";

import { readRetryRule, retryExample } from "../../../src/core/retry-rule";

const backoff = { initial: 200, factor: 2, max: 10_000 };

test("what is not given of the backoff has its default", () => {
  const rules: [text: string, expected: unknown][] = [
    [retryExample, { maxAttempts: 5, backoff }],
    ['{"maxAttempts":1}', { maxAttempts: 1, backoff }],
    ['{"maxAttempts":3,"backoff":{"initial":0}}', { maxAttempts: 3, backoff: { ...backoff, initial: 0 } }],
    // A first pause above the longest is the longest.
    [
      '{"maxAttempts":2,"backoff":{"initial":20000}}',
      { maxAttempts: 2, backoff: { ...backoff, initial: 20_000, max: 20_000 } },
    ],
  ];
  for (const [text, rule] of rules) assert.deepEqual(readRetryRule(text), { rule }, text);
});

test("every problem is told, with its JSON path", () => {
  const broken: [text: string, ...problems: RegExp[]][] = [
    ["5", /must be an object, not 5/],
    ["on", /unexpected "o" \(line 1 column 1\)/],
    ["[]", /must be an object, not a list/],
    ["{}", /maxAttempts must be a whole number from 1 to 100, not undefined/],
    ['{"maxAttempts":0}', /maxAttempts .* not 0/],
    ['{"maxAttempts":1.5}', /maxAttempts .* not 1\.5/],
    ['{"maxAttempts":"3"}', /maxAttempts .* not "3"/],
    ['{"maxAttempts":2,"backoff":5}', /backoff must be an object, not 5/],
    ['{"maxAttempts":2,"attempts":5}', /attempts is no field of it: there are maxAttempts and backoff/],
    [
      '{"maxAttempts":101,"backoff":{"initial":-1,"factor":0.5,"max":"1s","jitter":1}}',
      /maxAttempts .* not 101/,
      /backoff\.initial must be a number from 0 to 3600000, not -1/,
      /backoff\.factor must be a number from 1 to 100, not 0\.5/,
      /backoff\.max .* not "1s"/,
      /backoff\.jitter is no field/,
    ],
  ];
  for (const [text, ...problems] of broken) {
    const read = readRetryRule(text);
    assert.ok("problems" in read, text);
    assert.equal(read.problems.length, problems.length, text);
    for (const problem of problems) assert.match(read.problems.join("; "), problem, text);
  }
});
