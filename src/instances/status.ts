/** How the functions of a supervisor are, as objects: for the control API and the screens. */
import type { ErrorDescription } from "../core/log";
import type { ServedFunction } from "../serving/options";

/**
 * `starting`: loads. `ready`: gets requests. `draining`: gets none any more and finishes those it has. `stopped`: its
 * process is gone. `backoff`: waits for its next start. `failed`: is not started before a change or a restart.
 */
export type InstanceState = "starting" | "ready" | "draining" | "stopped" | "backoff" | "failed";

export interface InstanceStatus {
  id: string;
  /** Null while there is no process. */
  pid: number | null;
  state: InstanceState;
  /** Null until it is ready. */
  address: string | null;
  inFlight: number;
  /** When its process began, ISO 8601. */
  started: string | null;
  /** How often another process took the place of one that had ended. */
  restarts: number;
}

export interface Counters {
  /** Leases that were released, and those of them that were not ok. */
  requests: number;
  errors: number;
  /** Milliseconds of all of them. */
  ms: number;
  starts: number;
  /** Ends that nobody asked for. */
  crashes: number;
  restarts: number;
}

export interface FunctionStatus {
  name: string;
  /** That of the instance that is best off; `stopped` when there is none. */
  state: InstanceState;
  instances: InstanceStatus[];
  /** Instances that there should be. */
  desired: number;
  /** Requests that wait for one. */
  waiting: number;
  counters: Counters;
  /** Since the last change or restart. */
  lastError?: ErrorDescription & { ts: string };
}

/** A change of one instance's state, as it happens. */
export interface InstanceChange {
  function: string;
  instance: string;
  state: InstanceState;
  pid: number | null;
  address: string | null;
  /** What the process serves, when it is ready. */
  functions: readonly ServedFunction[];
  /** Why, when something went wrong. */
  error?: ErrorDescription;
  /** How its process ended, when it was ready: "exit code 1", "signal SIGKILL". */
  ended?: string;
}

const bestFirst: readonly InstanceState[] = ["ready", "starting", "backoff", "failed", "draining"];

export function stateOf(instances: readonly InstanceStatus[]): InstanceState {
  return bestFirst.find((state) => instances.some((one) => one.state === state)) ?? "stopped";
}
