/**
 * Prometheus text of several processes to that of all. Counters and histograms are summed, over processes that have
 * ended too, so they never go down; gauges are those of live processes, by the table below.
 */

interface Family {
  /** HELP and TYPE, as they are. */
  head: string[];
  type: string;
  /** Name and labels, as they are, to the value. */
  samples: Map<string, number>;
}

type Rule = "sum" | "max" | "min";

/** How gauges become one: the sum, where nothing else is said. */
const rules: readonly [name: RegExp, rule: Rule][] = [
  [/^process_start_time_seconds$/, "min"],
  [/^process_max_fds$/, "min"],
  [/^nodejs_eventloop_lag_min_seconds$/, "min"],
  [/^nodejs_eventloop_lag_/, "max"],
  [/^nodejs_version_info$/, "max"],
  [/^faas_coldstart_duration_seconds$/, "max"],
];

export interface ProcessMetrics {
  /** Texts of processes that run. */
  live: readonly string[];
  /** Texts of those that have ended; their gauges do not count. */
  ended?: readonly string[];
}

export function mergeMetrics({ live, ended = [] }: ProcessMetrics): string {
  const all = new Map<string, Family>();
  for (const text of live) add(all, parse(text), { isLive: true });
  for (const text of ended) add(all, parse(text), { isLive: false });
  return [...all.values()].map(print).join("\n");
}

function add(all: Map<string, Family>, families: Map<string, Family>, { isLive }: { isLive: boolean }): void {
  for (const [name, family] of families) {
    const isGauge = family.type !== "counter" && family.type !== "histogram";
    if (isGauge && !isLive) continue;
    const total = all.get(name) ?? { ...family, samples: new Map<string, number>() };
    all.set(name, total);
    const rule = (isGauge && rules.find(([pattern]) => pattern.test(name))?.[1]) || "sum";
    for (const [key, value] of family.samples) {
      const before = total.samples.get(key);
      const isFirst = before === undefined || Number.isNaN(before); // NaN: nothing was measured yet
      total.samples.set(key, isFirst ? value : Number.isNaN(value) ? before : combine[rule](before, value));
    }
  }
}

const combine: Record<Rule, (one: number, other: number) => number> = {
  sum: (one, other) => one + other,
  max: Math.max,
  min: Math.min,
};

// The text is our own: HELP, TYPE, then the samples, which carry no timestamp.
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let head: string[] = [];
  let family: Family | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP ")) head = [line];
    else if (line.startsWith("# TYPE ")) {
      const [, , name = "", type = ""] = line.split(" ");
      family = { head: [...head, line], type, samples: new Map() };
      families.set(name, family);
    } else if (line !== "") {
      const end = line.lastIndexOf(" ");
      family?.samples.set(line.slice(0, end), numberOf(line.slice(end + 1)));
    }
  }
  return families;
}

function numberOf(text: string): number {
  return text === "Nan" || text === "NaN" ? Number.NaN : Number(text.replace("Inf", "Infinity"));
}

function print({ head, samples }: Family): string {
  const lines = [...samples].map(([key, value]) => `${key} ${textOf(value)}`);
  return [...head, ...lines, ""].join("\n");
}

function textOf(value: number): string {
  return Number.isFinite(value) || Number.isNaN(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
