/**
 * `--metrics`: Prometheus text, made from the news. Names follow OpenTelemetry's for FaaS; labels are bounded by the
 * functions that are served. prom-client is loaded when metrics are on (26 ms).
 */
import type * as Prometheus from "prom-client";

import { lazyRequire } from "../core/lazy";
import { listen } from "./channels";
import { createTally } from "./tally";

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

export function createMetrics({ inFlight }: MetricsOptions): Metrics {
  const prometheus = lazyRequire("prom-client") as typeof Prometheus;
  const { Gauge, Registry } = prometheus;
  const ofProcess = processMetrics(prometheus);
  const registry = new Registry();
  const registers = [registry];
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

  const tally = createTally();
  const stop = listen("invocation", ({ function: name, signature, ms, outcome }) => {
    const failed = outcome === "error" || outcome === "retry";
    tally.add({ function: name, signature, seconds: ms / 1000, failed });
  });

  return {
    contentType: registry.contentType,
    text: async () => [await ofProcess.metrics(), await registry.metrics(), tally.text()].join("\n"),
    started: () => coldStart.set(performance.now() / 1000),
    stop,
  };
}

let collected: Prometheus.Registry | undefined;

// Once, however often a process serves: what watches the event loop and the garbage collector has no end.
function processMetrics({ Registry, collectDefaultMetrics }: typeof Prometheus): Prometheus.Registry {
  if (collected === undefined) {
    collected = new Registry();
    collectDefaultMetrics({ register: collected });
  }
  return collected;
}
