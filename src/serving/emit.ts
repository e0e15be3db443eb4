/**
 * Node emits what comes from the socket (data, a client that leaves) outside of the invocation. Listeners belong to it:
 * for their errors, and for what they log.
 */
import type { EventEmitter } from "node:events";

import { currentInvocation, runInvocation } from "../core/invocation";
import { failInvocation } from "./guard";
import { type Carrier, invocationOf } from "./request";

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;

/**
 * Makes the events of requests or responses with this prototype come within their invocation, from the first listener
 * on that it adds. Most add none, and each event would cost a part of a microsecond.
 */
export function followListeners(prototype: EventEmitter): void {
  for (const method of ["on", "addListener", "prependListener"] as const) {
    const add = prototype[method];
    Object.defineProperty(prototype, method, {
      configurable: true,
      writable: true,
      value(this: EventEmitter & Carrier, event: string, listener: () => void) {
        if (this[invocationOf] !== undefined && !Object.hasOwn(this, "emit")) emitOwnWithin(this);
        return add.call(this, event, listener);
      },
    });
  }
}

/** Gives the emitter an `emit` of its own, which runs the listeners within the invocation that it carries. */
export function emitOwnWithin(emitter: EventEmitter & Carrier): void {
  const emit = emitter.emit as Emit;
  Object.defineProperty(emitter, "emit", {
    configurable: true,
    writable: true,
    value: (event: string | symbol, ...args: unknown[]) => emitWithin(emitter, emit, event, args),
  });
}

function emitWithin(emitter: Carrier, emit: Emit, event: string | symbol, args: unknown[]): boolean {
  const invocation = emitter[invocationOf];
  if (invocation === undefined || currentInvocation() !== undefined)
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
