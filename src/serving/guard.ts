/** Errors that no promise and no try catches: the invocation they belong to fails, or the process ends. */
import { executionAsyncResource } from "node:async_hooks";
import { type Server, ServerResponse } from "node:http";

import { frameworkError, messageOf } from "../core/errors";
import { currentInvocation, type Invocation } from "../core/invocation";
import { exitCodes, type Lifecycle } from "../core/lifecycle";
import { logError } from "../core/log";
import { endConnection } from "./end-connection";

let isInstalled = false;

/**
 * Inside an invocation: it is answered as failed, and the process lives. Outside of any: what is in flight is
 * finished within the grace period, then the process ends with exit code 16.
 */
export function installGuard(lifecycle: Lifecycle): void {
  if (isInstalled) return; // one guard for all that a process serves
  isInstalled = true;
  const onError = (event: ErrorEvent) => (thrown: unknown) => {
    if (failCurrent(event, thrown)) return;
    logError(frameworkError("FF_PROCESS_CRASHED", { why: messageOf(thrown) }, { cause: thrown }));
    void lifecycle.stop("an error outside of any invocation", exitCodes.crashed);
  };
  for (const event of errorEvents) process.on(event, onError(event));
}

const errorEvents = ["uncaughtException", "unhandledRejection"] as const;
type ErrorEvent = (typeof errorEvents)[number];

/**
 * The same inside of a test runner, while a server listens: its own handlers see nothing of an error that belongs to
 * an invocation, and everything else. Jest gives tests a `process` of their own, where this does nothing.
 */
export function guardTests(server: Server): void {
  server.once("listening", () => {
    if (guarded.size === 0) guardEmit();
    guarded.add(server);
    server.once("close", () => {
      guarded.delete(server);
      if (guarded.size === 0) process.emit = emit;
    });
  });
}

const guarded = new Set<Server>();
let { emit } = process;

function guardEmit(): void {
  emit = process.emit;
  process.emit = function (this: unknown, event: string, ...args: unknown[]): boolean {
    const error = errorEvents.find((one) => one === event);
    if (error && failCurrent(error, args[0])) return true;
    return Reflect.apply(emit, process, [event, ...args]);
  } as typeof process.emit;
}

/** Ends an invocation as failed, or logs what comes after its answer. */
export function failInvocation(invocation: Invocation, thrown: unknown): void {
  if (invocation.fail && !invocation.settled) failSafely(invocation, thrown);
  else logError(thrown, { function: invocation.function, invocation: invocation.id });
}

/** False when the running code belongs to no invocation. */
function failCurrent(event: ErrorEvent, thrown: unknown): boolean {
  // The failing work's store is the current one here (observed on Node 20, 22, 24).
  const invocation = currentInvocation();
  if (!invocation) return false;
  // An exception that goes through Node's HTTP parser stops it for good: a pipelined request behind this one would wait
  // for ever (observed on Node 20 to 26).
  const { response } = invocation;
  if (event === "uncaughtException" && response instanceof ServerResponse && mayGoThroughParser())
    endConnection(response);
  failInvocation(invocation, thrown);
  return true;
}

// Ticks and microtasks run where the parser calls us; timers and I/O do not, and have resources of other classes.
function mayGoThroughParser(): boolean {
  const kind = (executionAsyncResource() as { constructor?: { name: string } }).constructor;
  return kind === undefined || kind === Object || kind.name === "TickObject"; // a class from Node 26 on
}

// An error in this handler would end the process on the spot.
function failSafely(invocation: Invocation, thrown: unknown): void {
  try {
    invocation.fail?.(thrown);
  } catch (err) {
    logError(err, { function: invocation.function, invocation: invocation.id });
  }
}
