import assert from "node:assert/strict";
import { test } from "node:test";
import { Counter, Histogram, Registry } from "prom-client";

import { createTally } from "../../../src/telemetry/tally";

const observed = [
  { function: "hello", signature: "http", seconds: 0.0004, failed: false },
  { function: "hello", signature: "http", seconds: 0.001, failed: true },
  { function: 'with "quotes" and \\', signature: "typed", seconds: 0.3, failed: true },
  { function: "hello", signature: "http", seconds: 60, failed: false },
  { function: "hello", signature: "http", seconds: 61, failed: false },
];

test("the text is what prom-client writes of the same observations", async () => {
  const registers = [new Registry()];
  const labelNames = ["function", "signature"];
  const of = (name: string, help: string) => ({ name, help, labelNames, registers });
  const all = new Counter(of("faas_invocations_total", "Invocations that have ended, failed ones included."));
  const errors = new Counter(
    of("faas_errors_total", "Invocations that have failed, or whose message is to be delivered again."),
  );
  const seconds = new Histogram({
    ...of("faas_invoke_duration_seconds", "Seconds from the arrival of an invocation to its answer."),
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  });
  const tally = createTally();

  for (const one of observed) {
    const labels = { function: one.function, signature: one.signature };
    all.inc(labels);
    if (one.failed) errors.inc(labels);
    seconds.observe(labels, one.seconds);
    tally.add(one);
  }

  assert.equal(tally.text(), await registers[0]?.metrics());
});

test("a function that never failed is counted with 0 errors", () => {
  const tally = createTally();

  tally.add({ function: "hello", signature: "http", seconds: 0.1, failed: false });

  assert.match(tally.text(), /^faas_errors_total\{function="hello",signature="http"\} 0$/m);
});
