/**
 * Node emits what comes from the socket (data, a client that leaves) outside of the invocation. Listeners belong to it:
 * for their errors, and for what they log.
 */
import type { EventEmitter } from "node:events";

import { currentInvocation, runInvocation } from "../core/invocation";
import { failInvocation } from "./guard";
import { type Carrier, define, invocationOf } from "./request";

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;

/** Calls `emit` within the invocation that the emitter carries. */
export function emitWithin(
  emitter: EventEmitter & Carrier,
  emit: Emit,
  event: string | symbol,
  args: unknown[],
): boolean {
  const invocation = emitter[invocationOf];
  if (invocation === undefined || !isHeard(emitter, event) || currentInvocation() !== undefined)
    return emit.call(emitter, event, ...args);
  return runInvocation(invocation, () => {
    try {
      return emit.call(emitter, event, ...args);
    } catch (err) {
      failInvocation(invocation, err); // above, the invocation is no longer the current one
      return true;
    }
  });
}

// Most events of a request are not; an error without a listener is thrown.
function isHeard(emitter: EventEmitter, event: string | symbol): boolean {
  return event === "error" || emitter.listenerCount(event) > 0;
}

/** The same for a request or response whose prototype an application is going to replace. */
export function emitOwnWithin(emitter: EventEmitter & Carrier): void {
  const emit = emitter.emit as Emit;
  define(emitter, "emit", (event: string | symbol, ...args: unknown[]) =>
    emitWithin(emitter, emit, event, args),
  );
}
