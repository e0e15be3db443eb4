/**
 * Node emits what comes from the socket (data, a client that leaves) outside of the invocation. Listeners belong to it:
 * for their errors, and for what they log. Done as they are added, since most requests have none: an `emit` of our own
 * takes 1 of 15 µs of every request.
 */
import type { EventEmitter } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";

import { currentInvocation, type Invocation, runInvocation } from "../core/invocation";
import { failInvocation } from "./guard";
import { type Carrier, define, invocationOf } from "./request";

type Event = string | symbol;
type Listener = ((...args: unknown[]) => unknown) & { listener?: unknown };
type Add = (this: Emitter, event: Event, listener: Listener) => unknown;
type Emitter = EventEmitter & Carrier;

// What adds listeners.
export const requestListeners = listenersOf(IncomingMessage.prototype);
export const responseListeners = listenersOf(ServerResponse.prototype);

/** `target`: a prototype, or a request whose prototype an application is going to replace. */
export function defineListeners(target: object, methods: Record<string, Add>): void {
  for (const [name, add] of Object.entries(methods)) define(target, name, add);
}

function listenersOf(base: EventEmitter): Record<string, Add> {
  const { on, prependListener, once, prependOnceListener } = base as unknown as Record<string, Add>;
  const add = always(on as Add);
  return {
    on: add,
    addListener: add,
    prependListener: always(prependListener as Add),
    once: single(once as Add, on as Add),
    prependOnceListener: single(prependOnceListener as Add, prependListener as Add),
  };
}

function always(add: Add): Add {
  return function (event, listener) {
    const invocation = this[invocationOf];
    if (invocation === undefined || isNodes(event, invocation)) return add.call(this, event, listener);
    return add.call(this, event, within(invocation, listener));
  };
}

// After every answer Node waits for the end of the body that nobody has read.
function isNodes(event: Event, { response }: Invocation): boolean {
  return event === "end" && response.writableFinished;
}

// Node's own `once` calls `on`, which would be ours.
function single(addOnce: Add, add: Add): Add {
  return function (event, listener) {
    const invocation = this[invocationOf];
    if (invocation === undefined) return addOnce.call(this, event, listener);
    const heard = within(invocation, listener, () => this.removeListener(event, heard));
    return add.call(this, event, heard);
  };
}

/** The listener, called within the invocation; it is removed by the name of the one that was given. */
function within(invocation: Invocation, listener: Listener, before?: () => void): Listener {
  if (typeof listener !== "function") return listener; // the emitter says so
  const heard: Listener = function (this: unknown, ...args) {
    before?.();
    if (currentInvocation() !== undefined) return Reflect.apply(listener, this, args);
    return runInvocation(invocation, () => {
      try {
        return Reflect.apply(listener, this, args);
      } catch (err) {
        failInvocation(invocation, err); // above, the invocation is no longer the current one
        return undefined;
      }
    });
  };
  heard.listener = listener;
  return heard;
}
