import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeMetrics } from "../../../src/telemetry/merge-metrics";
import { createTally } from "../../../src/telemetry/tally";

const family = (name: string, type: string, ...samples: string[]) =>
  [`# HELP ${name} Some ${type}.`, `# TYPE ${name} ${type}`, ...samples, ""].join("\n");

function samplesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("counters are summed label by label, those of processes that have ended too", () => {
  const one = family("calls_total", "counter", 'calls_total{function="a"} 1', 'calls_total{function="b"} 2');
  const other = family(
    "calls_total",
    "counter",
    'calls_total{function="a"} 10',
    'calls_total{function="c"} 3',
  );

  const text = mergeMetrics({ live: [one, other], ended: [one] });

  assert.deepEqual(samplesOf(text), [
    'calls_total{function="a"} 12',
    'calls_total{function="b"} 4',
    'calls_total{function="c"} 3',
  ]);
  assert.equal(text.match(/# TYPE/g)?.length, 1);
});

test("histograms are summed bucket by bucket", () => {
  const tallies = [createTally(), createTally()] as const;
  const both = createTally();
  for (const [index, seconds] of [0.002, 0.5, 100, 0.002].entries()) {
    const observation = { function: 'say "hi"\n', signature: "http", seconds, failed: index === 1 };
    tallies[index % 2]?.add(observation);
    both.add(observation);
  }

  const text = mergeMetrics({ live: [tallies[0].text()], ended: [tallies[1].text()] });

  assert.deepEqual(samplesOf(text), samplesOf(both.text()));
});

for (const [name, values, merged] of [
  ["faas_invocations_in_flight", ["1", "2"], "3"],
  ["process_resident_memory_bytes", ["100", "200"], "300"],
  ["process_start_time_seconds", ["1700000000", "1800000000"], "1700000000"],
  ["process_max_fds", ["20000", "1024"], "1024"],
  ["nodejs_eventloop_lag_p99_seconds", ["0.1", "0.3"], "0.3"],
  ["nodejs_eventloop_lag_p99_seconds", ["Nan", "0.3"], "0.3"],
  ["nodejs_eventloop_lag_p99_seconds", ["0.3", "Nan"], "0.3"],
  ["nodejs_eventloop_lag_min_seconds", ["0.1", "0.3"], "0.1"],
  ["nodejs_version_info", ["1", "1"], "1"],
  ["faas_coldstart_duration_seconds", ["0.2", "0.1"], "0.2"],
  ["process_heap_bytes", ["+Inf", "1"], "+Inf"],
] as const) {
  test(`${name}: ${values.join(" and ")} are ${merged}`, () => {
    const live = values.map((value) => family(name, "gauge", `${name} ${value}`));

    const text = mergeMetrics({ live, ended: [family(name, "gauge", `${name} 7`)] });

    assert.deepEqual(samplesOf(text), [`${name} ${merged}`]);
  });
}

test("what is merged can be merged again, and nothing is nothing", () => {
  const one = family("calls_total", "counter", "calls_total 1") + family("now", "gauge", "now 1");

  const kept = mergeMetrics({ live: [], ended: [mergeMetrics({ live: [one], ended: [] }), ""] });

  assert.deepEqual(samplesOf(kept), ["calls_total 1"]);
  assert.equal(mergeMetrics({ live: [] }), "");
});
