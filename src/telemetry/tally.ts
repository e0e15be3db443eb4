/**
 * What became of invocations, function by function, as Prometheus text. Our own counting: prom-client looks up the
 * labels again for every observation, which takes 2 µs of a request's 20.
 */
export interface Observation {
  function: string;
  signature: string;
  seconds: number;
  failed: boolean;
}

export interface Tally {
  add(observation: Observation): void;
  /** Counters and a histogram in the text format, with an end of line. */
  text(): string;
}

// Seconds: from what a function costs that does nothing, to what a platform waits at most.
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

interface Row {
  labels: string;
  count: number;
  errors: number;
  seconds: number;
  /** How many ended within each bound and above the one before it; the last one: above all. */
  within: number[];
}

export function createTally(): Tally {
  const rows = new Map<string, Row>(); // by the name alone: a function of a process has one signature

  function rowOf(name: string, signature: string): Row {
    let row = rows.get(name);
    if (row === undefined) {
      const labels = `function="${escapeValue(name)}",signature="${signature}"`;
      row = { labels, count: 0, errors: 0, seconds: 0, within: new Array(bounds.length + 1).fill(0) };
      rows.set(name, row);
    }
    return row;
  }

  return {
    add({ function: name, signature, seconds, failed }) {
      const row = rowOf(name, signature);
      row.count++;
      if (failed) row.errors++;
      row.seconds += seconds;
      let index = 0;
      while (seconds > (bounds[index] ?? Infinity)) index++;
      row.within[index] = (row.within[index] ?? 0) + 1;
    },

    text() {
      const all = [...rows.values()];
      return [
        head("faas_invocations_total", "counter", "Invocations that have ended, failed ones included."),
        ...all.map(({ labels, count }) => `faas_invocations_total{${labels}} ${count}`),
        "",
        head(
          "faas_errors_total",
          "counter",
          "Invocations that have failed, or whose message is to be delivered again.",
        ),
        ...all.map(({ labels, errors }) => `faas_errors_total{${labels}} ${errors}`),
        "",
        head(
          "faas_invoke_duration_seconds",
          "histogram",
          "Seconds from the arrival of an invocation to its answer.",
        ),
        ...all.flatMap(histogram),
        "",
      ].join("\n");
    },
  };
}

function head(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}`;
}

// A bucket counts what the smaller ones count too.
function histogram({ labels, count, seconds, within }: Row): string[] {
  let sum = 0;
  const buckets = [...bounds, "+Inf"].map((bound, index) => {
    sum += within[index] ?? 0;
    return `faas_invoke_duration_seconds_bucket{le="${bound}",${labels}} ${sum}`;
  });
  return [
    ...buckets,
    `faas_invoke_duration_seconds_sum{${labels}} ${seconds}`,
    `faas_invoke_duration_seconds_count{${labels}} ${count}`,
  ];
}

function escapeValue(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}
