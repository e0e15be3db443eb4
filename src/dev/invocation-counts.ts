/** What the functions of a session have answered. Deliveries take no lease, so only news tells of them. */
import type { Counters } from "../instances/status";
import { listen } from "../telemetry/channels";

type Counts = Pick<Counters, "requests" | "errors" | "ms">;

export interface InvocationCounts {
  of(name: string): Counts;
  stop(): void;
}

export function countInvocations(): InvocationCounts {
  const counts = new Map<string, Counts>();
  const of = (name: string) => counts.get(name) ?? { requests: 0, errors: 0, ms: 0 };
  const stop = listen("invocation", ({ function: name, outcome, ms }) => {
    const { requests, errors, ms: before } = of(name);
    const isGood = outcome === "ok" || outcome === "ack";
    counts.set(name, { requests: requests + 1, errors: isGood ? errors : errors + 1, ms: before + ms });
  });
  return { of, stop };
}
