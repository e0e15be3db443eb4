/** What is served and how, and what came of it. */
import type { Socket } from "node:net";

import type { Invocation } from "../core/invocation";
import type { Lifecycle } from "../core/lifecycle";
import type { RetryRule } from "../core/retry-rule";
import type { Tracing } from "../core/tracing";
import type { FunctionContext, Hook, Plugins, SignatureType } from "../functions/types";
import type { LoadedFunction } from "../loading/loaded";
import type { Metrics } from "../telemetry/metrics";
import type { RequestLimits } from "./handler";
import type { HealthCheck } from "./health";
import type { ListenAddress } from "./listen";

export interface ServeOptions {
  functions: readonly LoadedFunction[];
  /** From flag or environment; a registration in code wins. */
  signature: SignatureType;
  context: FunctionContext | undefined;
  /** Around every call, outermost first. */
  hooks: readonly Hook[];
  plugins: Plugins;
  /** Undefined: nothing is traced. */
  tracing?: Tracing | undefined;
  address: ListenAddress;
  limits: RequestLimits & { maxConcurrency: number; queue: number; retry: RetryRule | undefined };
  /** Undefined: the built-in list, when all functions are http functions. */
  ignoredRoutes: readonly string[] | undefined;
  /** Undefined: no probes. */
  health: { liveness?: HealthCheck | undefined; readiness?: HealthCheck | undefined } | undefined;
  metrics: boolean;
  /** What `/metrics` tells, made from the process's own. Undefined: just that. */
  metricsOfAll?: ((own: Metrics) => Metrics) | undefined;
  /** The user's work at the end, when everything in flight is finished; the last one is done first. */
  onStop: readonly (() => unknown)[];
  /** Seconds to finish what is in flight; asked when the stop begins. */
  gracePeriod: () => number;
  lifecycle: Lifecycle;
  env: NodeJS.ProcessEnv;
  /** Sees every invocation as it begins. */
  onInvocation?: (invocation: Invocation) => void;
}

export interface ServedFunction {
  name: string;
  /** The effective one. */
  signature: SignatureType;
  /** Path or pattern below the address; `/` is every path. */
  path: string;
}

export interface Running {
  functions: readonly ServedFunction[];
  /** Where it listens. */
  port: number;
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  address: string;
  /** Serves a connection that somebody else has accepted. */
  take(socket: Socket): void;
}
