/** The calls of the control API: how the functions are, what they write, and what can be asked of them. */
import type { ControlCall, ControlRoute } from "../control/routes";
import { frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { describe, isRecord } from "../core/value";
import type { FunctionStatus } from "../instances/status";
import type { Supervisor } from "../instances/supervisor";
import type { Feed } from "./feed";
import type { InvocationCounts } from "./invocation-counts";
import type { Invoke } from "./invoke";
import type { FunctionPlan } from "./plan";

export interface ControlRoutesOptions {
  functions: readonly FunctionPlan[];
  supervisor: Pick<Supervisor, "status" | "scale" | "restart" | "logs">;
  counts: InvocationCounts;
  feed: Feed;
  invoke: Invoke;
  phase(): "starting" | "ok" | "stopping";
}

export function controlRoutes({
  functions,
  supervisor,
  counts,
  feed,
  invoke,
  phase,
}: ControlRoutesOptions): ControlRoute[] {
  const known = () => supervisor.status();

  function row({ name, counters, ...status }: FunctionStatus) {
    const { namespace, isAsync } = functions.find((one) => one.name === name) ?? {};
    return { name, namespace, ...status, counters: isAsync ? { ...counters, ...counts.of(name) } : counters };
  }

  /** The name of the path, when such a function is there. */
  function named({ params: { name = "" } }: ControlCall): string {
    const names = known().map((status) => status.name);
    if (!names.includes(name))
      throw frameworkError("FF_CONTROL_FUNCTION_UNKNOWN", { function: name, known: names });
    return name;
  }

  return [
    { method: "GET", path: "/status", answer: () => ({ body: { status: "ok" } }) },
    {
      method: "GET",
      path: "/status/ready",
      answer: () => ({ status: phase() === "ok" ? 200 : 503, body: { status: phase() } }),
    },
    { method: "GET", path: "/v1/functions", answer: () => ({ body: known().map(row) }) },
    {
      method: "GET",
      path: "/v1/functions/:name",
      answer: (call) => ({ body: row(supervisor.status(named(call))) }),
    },
    {
      method: "POST",
      path: "/v1/functions/:name/scale",
      answer(call) {
        supervisor.scale(named(call), instancesOf(call.body));
        return { status: 202 };
      },
    },
    {
      method: "POST",
      path: "/v1/functions/:name/restart",
      answer(call) {
        background(supervisor.restart(named(call)));
        return { status: 202 };
      },
    },
    {
      method: "GET",
      path: "/v1/functions/:name/logs",
      answer: (call) => ({
        lines: supervisor.logs(named(call), { ...wishOf(call.query), signal: call.signal }),
      }),
    },
    {
      method: "POST",
      path: "/v1/invoke",
      answer: async ({ body, signal }) => ({ body: await invoke(body, signal) }),
    },
    { method: "GET", path: "/v1/events", answer: ({ signal }) => ({ lines: feed.follow(signal) }) },
  ];
}

function instancesOf(body: unknown): number {
  const instances = isRecord(body) ? body.instances : undefined;
  if (typeof instances === "number") return instances;
  throw wrong("instances", "a number", describe(instances));
}

/** `?follow&tail=n` */
function wishOf(query: URLSearchParams): { follow: boolean; tail?: number } {
  const [follow, tail] = [query.get("follow"), query.get("tail")];
  if (follow !== null && !/^(true|false)?$/.test(follow))
    throw wrong("follow", "true or false", describe(follow));
  if (tail !== null && !/^\d+$/.test(tail)) throw wrong("tail", "a number of lines", describe(tail));
  return { follow: follow !== null && follow !== "false", ...(tail !== null && { tail: Number(tail) }) };
}

const wrong = (field: string, allowed: string, value: string) =>
  frameworkError("FF_CONTROL_FIELD", { field, allowed, value });
