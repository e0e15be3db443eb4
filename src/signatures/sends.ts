/** The sends of one invocation: in order per output, and none forgotten before the outcome is decided. */
import { setMaxListeners } from "node:events";

import { type FrameworkError, frameworkError, messageOf } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { logError } from "../core/log";
import type { SendSpan } from "../core/span";
import { traceHeaders } from "../core/trace";
import { TrackedPromise } from "../core/tracked-promise";
import { isRecord } from "../core/value";
import type { Outputs, PreparedSend } from "../dapr/outputs";
import type { SidecarCaller } from "../dapr/sidecar-client";
import type { CloudEvent, SendOptions, SendResult } from "../functions/types";

/** What a failed `ctx.send` rejects with: code FF_SEND_FAILED, and the result of every output. */
export interface SendError extends FrameworkError {
  results: SendResult[];
}

/** Sends and writes of one invocation that are not done yet, at most: who makes more has to await some. */
const mostOpen = 100_000;

export class Sends {
  readonly #outputs: Outputs;
  readonly #invocation: Invocation;
  readonly #event: CloudEvent | undefined;
  #caller: SidecarCaller | undefined;
  #open: Set<TrackedPromise<unknown>> | undefined; // made at the first send: most invocations of a sink send nothing
  #pending = 0;
  #isClosed = false;
  #queues: Map<string, Queue> | undefined; // what waits for an output that is busy

  constructor(outputs: Outputs, invocation: Invocation, event?: CloudEvent) {
    this.#outputs = outputs;
    this.#invocation = invocation;
    this.#event = event;
  }

  send(data: unknown, output?: string | null, options?: SendOptions | null): Promise<SendResult[]> {
    return this.#track((resolve, reject) => {
      try {
        this.#send(data, output ?? undefined, options ?? {}, (names, results) => {
          const failure = failureOf(names, results);
          if (failure) reject(failure);
          else resolve(results);
        });
      } catch (err) {
        reject(err);
      }
    });
  }

  /** Work that belongs to the outcome: it is awaited, and its failure counts unless somebody handles it. */
  track<T>(work: Promise<T>): Promise<T> {
    return this.#track((resolve, reject) => void work.then(resolve, reject));
  }

  #track<T>(work: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void): Promise<T> {
    this.#open ??= new Set();
    const open = this.#open;
    const isLate = this.#isClosed || this.#invocation.settled;
    let isDone = false;
    let tracked: TrackedPromise<T> | undefined;
    this.#pending++;
    tracked = TrackedPromise.run(work, (isGood) => {
      isDone = isGood; // a failure stays until it is asked who handled it
      this.#pending--;
      if (isGood && tracked) open.delete(tracked);
    });
    if (isLate)
      void tracked.unhandledFailure().then((failure) => failure && this.#reportLate(failure.reason));
    else if (!isDone) open.add(tracked);
    return tracked;
  }

  /** True when there is nothing to wait for. */
  get isEmpty(): boolean {
    return this.#open === undefined || this.#open.size === 0;
  }

  /** Waits for every send, also for those made meanwhile. Rejects with the first failure that nobody handled. */
  async settle(): Promise<void> {
    let failure: { reason: unknown } | undefined;
    // A set gives what is added while it is walked through, too.
    for (const next of this.#open ?? []) {
      this.#open?.delete(next);
      const own = await next.unhandledFailure(); // also when one has failed already: all are awaited
      failure ??= own;
    }
    if (failure) throw failure.reason;
  }

  /** The answer is out: failures are lines in the log from now on. */
  close(): void {
    this.#isClosed = true;
    this.settle().catch((err) => this.#reportLate(err));
  }

  /** The invocation as the sidecar sees it: its trace goes on, its end is the end of its calls. */
  get caller(): SidecarCaller {
    if (this.#caller) return this.#caller;
    const { signal, traceHeaders: own } = this.#invocation;
    setMaxListeners(0, signal); // each call that is under way listens to it
    const trace = own ?? (this.#event && traceHeaders(this.#event.traceparent, this.#event.tracestate));
    this.#caller = { signal, trace };
    return this.#caller;
  }

  // The outcome was decided before this send was made: a log line is all that can be done.
  #reportLate(err: unknown): void {
    logError(err, { function: this.#invocation.function, invocation: this.#invocation.id });
  }

  #send(data: unknown, output: string | undefined, options: SendOptions, done: OnSent): void {
    const { names } = this.#outputs;
    if (output !== undefined && !names.includes(output)) {
      throw frameworkError("FF_SEND_UNKNOWN_OUTPUT", { output: String(output), known: [...names] });
    }
    if (this.#pending > mostOpen) throw frameworkError("FF_SEND_TOO_MANY", { limit: mostOpen });
    const wanted = output === undefined ? names : [output];
    if (wanted.length === 0) return done(wanted, markEmpty([]));
    const results: SendResult[] = [];
    let left = wanted.length;
    for (const [index, name] of wanted.entries()) {
      this.#sendInOrder(name, data, options, (result) => {
        results[index] = result;
        left--;
        if (left === 0) done(wanted, results);
      });
    }
  }

  // The message is taken down at once, and posted when the one before it is answered.
  #sendInOrder(name: string, data: unknown, options: SendOptions, done: (result: SendResult) => void): void {
    const span = this.#invocation.span?.send(name);
    let prepared: PreparedSend;
    try {
      prepared = this.#outputs.prepare(name, data, options);
      const message = span?.wrap({ data, contentType: options.contentType });
      if (message && message.data !== data) {
        const { contentType } = message;
        prepared = this.#outputs.prepare(name, message.data, { ...options, contentType });
      }
      if (span) prepared = within(span, prepared);
    } catch (reason) {
      span?.end({ reason });
      return done({ status: "rejected", reason });
    }
    this.#queues ??= new Map();
    const queue = this.#queues.get(name);
    if (queue) queue.waiting.push({ prepared, done });
    else {
      this.#queues.set(name, { waiting: [], next: 0 });
      this.#post(name, { prepared, done });
    }
  }

  #post(name: string, { prepared, done }: Waiting): void {
    prepared(this.#invocation, this.caller, (result) => {
      const queue = this.#queues?.get(name) as Queue;
      const next = queue.waiting[queue.next++];
      if (next) this.#post(name, next);
      else this.#queues?.delete(name);
      done(result);
    });
  }
}

type OnSent = (names: readonly string[], results: SendResult[]) => void;

interface Waiting {
  prepared: PreparedSend;
  done(result: SendResult): void;
}

// An index, for shift() of a long list moves all of it.
interface Queue {
  waiting: Waiting[];
  next: number;
}

function failureOf(names: readonly string[], results: SendResult[]): SendError | undefined {
  const failures: string[] = [];
  let cause: unknown;
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") continue;
    cause ??= result.reason;
    failures.push(`output "${names[index]}": ${messageOf(result.reason).replace(/\.$/, "")}`);
  }
  if (failures.length === 0) return undefined;
  return Object.assign(frameworkError("FF_SEND_FAILED", { failures }, { cause }), { results });
}

const emptyResults = new WeakSet<object>();

function markEmpty(results: SendResult[]): SendResult[] {
  emptyResults.add(results);
  return results;
}

/** True for what `ctx.send` resolved to: returned by a function it counts as undefined, so that one-liners stay 204. */
export function isSendResult(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  return value.length === 0 ? emptyResults.has(value) : value.every(isResult);
}

// By its form: a mark on each would cost as much as the promise.
function isResult(value: unknown): boolean {
  if (!isRecord(value) || value.status !== "fulfilled" || !isRecord(value.value)) return false;
  const { output, status, metadata } = value.value;
  return typeof output === "string" && typeof status === "number" && isRecord(metadata);
}

// The headers of the send's own span go with the message.
function within(span: SendSpan, prepared: PreparedSend): PreparedSend {
  return (invocation, caller, done) =>
    prepared(invocation, { ...caller, trace: span.headers }, (result) => {
      span.end(result.status === "rejected" ? result : undefined);
      done(result);
    });
}
