/**
 * `--metrics`: Prometheus text, made from the news. Names follow OpenTelemetry's for FaaS; labels are bounded by the
 * functions that are served. prom-client is loaded when metrics are on (26 ms).
 */
import type * as Prometheus from "prom-client";

import { lazyRequire } from "../core/lazy";
import { listen } from "./channels";

export interface MetricsOptions {
  /** Invocations in flight, asked at every scrape. */
  inFlight: () => number;
}

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  /** The process listens now: the cold start is over. */
  started(): void;
  /** Counts no more. */
  stop(): void;
}

// Seconds: from what a function costs that does nothing, to what a platform waits at most.
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const labelNames = ["function", "signature"] as const;

export function createMetrics({ inFlight }: MetricsOptions): Metrics {
  const { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } = lazyRequire(
    "prom-client",
  ) as typeof Prometheus;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const invocations = new Counter({
    name: "faas_invocations_total",
    help: "Invocations that have ended, failed ones included.",
    labelNames,
    registers,
  });
  const errors = new Counter({
    name: "faas_errors_total",
    help: "Invocations that have failed, or whose message is to be delivered again.",
    labelNames,
    registers,
  });
  const duration = new Histogram({
    name: "faas_invoke_duration_seconds",
    help: "Seconds from the arrival of an invocation to its answer.",
    labelNames,
    buckets,
    registers,
  });
  const coldStart = new Gauge({
    name: "faas_coldstart_duration_seconds",
    help: "Seconds from the start of the process until it listened.",
    registers,
  });
  new Gauge({
    name: "faas_invocations_in_flight",
    help: "Invocations that are under way.",
    registers,
    collect() {
      this.set(inFlight());
    },
  });

  const stop = listen("invocation", ({ function: name, signature, ms, outcome }) => {
    const labels = { function: name, signature };
    invocations.inc(labels);
    if (outcome === "error" || outcome === "retry") errors.inc(labels);
    duration.observe(labels, ms / 1000);
  });

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    started: () => coldStart.set(performance.now() / 1000),
    stop,
  };
}
