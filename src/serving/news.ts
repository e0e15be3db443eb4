/** Tells what became of an invocation, to whoever listens. */
import { messageOf } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { type Outcome, publish } from "../telemetry/channels";

export interface InvocationEnd {
  /** `performance.now()` at arrival. */
  started: number;
  outcome: Outcome;
  /** HTTP status of the answer. */
  status: number;
}

export function reportInvocation(invocation: Invocation, { started, outcome, status }: InvocationEnd): void {
  const { id, function: name, signature, trigger, error } = invocation;
  const ms = performance.now() - started;
  publish("invocation", {
    id,
    function: name,
    signature,
    trigger,
    ms,
    outcome,
    status,
    ...(error !== undefined && { error: messageOf(error) }),
  });
}
