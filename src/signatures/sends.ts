/** The sends of one invocation: in order per output, and none forgotten before the outcome is decided. */
import { type FrameworkError, frameworkError, messageOf } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { logError } from "../core/log";
import type { SendSpan } from "../core/span";
import { traceHeaders } from "../core/trace";
import { TrackedPromise } from "../core/tracked-promise";
import type { Outputs, PreparedSend } from "../dapr/outputs";
import type { SidecarCaller } from "../dapr/sidecar-client";
import type { CloudEvent, SendOptions, SendReply, SendResult } from "../functions/types";

/** What a failed `ctx.send` rejects with: code FF_SEND_FAILED, and the result of every output. */
export interface SendError extends FrameworkError {
  results: SendResult[];
}

/** Sends and writes of one invocation that are not done yet, at most: who makes more has to await some. */
export const mostOpen = 100_000;

export class Sends {
  readonly #outputs: Outputs;
  readonly #invocation: Invocation;
  readonly #event: CloudEvent | undefined;
  #caller: SidecarCaller | undefined;
  #open: Set<TrackedPromise<unknown>> | undefined; // made at the first send: most invocations of a sink send nothing
  #pending = 0;
  #lastOf: Map<string, Promise<unknown>> | undefined;

  constructor(outputs: Outputs, invocation: Invocation, event?: CloudEvent) {
    this.#outputs = outputs;
    this.#invocation = invocation;
    this.#event = event;
  }

  send(data: unknown, output?: string | null, options?: SendOptions | null): Promise<SendResult[]> {
    return this.track(this.#send(data, output ?? undefined, options ?? {}));
  }

  /** Work that belongs to the outcome: it is awaited, and its failure counts unless somebody handles it. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#open ??= new Set();
    const open = this.#open;
    this.#pending++;
    const tracked = TrackedPromise.follow(work, ({ isGood }) => {
      this.#pending--;
      if (isGood) open.delete(tracked); // a failure stays until it is asked who handled it
    });
    if (this.#invocation.settled) void work.catch((err) => this.#reportLate(err));
    else open.add(tracked);
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
      failure ??= await next.unhandledFailure();
      this.#open?.delete(next);
    }
    if (failure) throw failure.reason;
  }

  /** The invocation as the sidecar sees it: its trace goes on, its end is the end of its calls. */
  get caller(): SidecarCaller {
    this.#caller ??= {
      signal: this.#invocation.signal,
      trace:
        this.#invocation.traceHeaders ??
        (this.#event && traceHeaders(this.#event.traceparent, this.#event.tracestate)),
    };
    return this.#caller;
  }

  // The outcome was decided before this send was made: a log line is all that can be done.
  #reportLate(err: unknown): void {
    logError(err, { function: this.#invocation.function, invocation: this.#invocation.id });
  }

  async #send(data: unknown, output: string | undefined, options: SendOptions): Promise<SendResult[]> {
    const { names } = this.#outputs;
    if (output !== undefined && !names.includes(output)) {
      throw frameworkError("FF_SEND_UNKNOWN_OUTPUT", { output: String(output), known: [...names] });
    }
    if (this.#pending >= mostOpen) throw frameworkError("FF_SEND_TOO_MANY", { limit: mostOpen });
    if (output !== undefined) return settledOf([output], [await this.#sendInOrder(output, data, options)]);
    return settledOf(names, await Promise.all(names.map((name) => this.#sendInOrder(name, data, options))));
  }

  // Never rejects. The message is taken down at once, and posted when the one before it is answered.
  #sendInOrder(name: string, data: unknown, options: SendOptions): Promise<SendResult> | SendResult {
    const span = this.#invocation.span?.send(name);
    let prepared: PreparedSend;
    try {
      prepared = this.#outputs.prepare(name, data, options);
      const message = span?.wrap({ data, contentType: options.contentType });
      if (message && message.data !== data) {
        const { contentType } = message;
        prepared = this.#outputs.prepare(name, message.data, { ...options, contentType });
      }
    } catch (reason) {
      span?.end({ reason });
      return { status: "rejected", reason };
    }
    const post = () =>
      span
        ? this.#postWithin(span, prepared)
        : prepared(this.#invocation, this.caller).then(fulfilled, rejected);
    this.#lastOf ??= new Map();
    const before = this.#lastOf.get(name);
    const work = before ? before.then(post) : post();
    this.#lastOf.set(name, work);
    return work;
  }

  async #postWithin(span: SendSpan, prepared: PreparedSend): Promise<SendResult> {
    try {
      const value = await prepared(this.#invocation, { ...this.caller, trace: span.headers });
      span.end();
      return fulfilled(value);
    } catch (reason) {
      span.end({ reason });
      return rejected(reason);
    }
  }
}

const fulfilled = (value: SendReply): SendResult => ({ status: "fulfilled", value });
const rejected = (reason: unknown): SendResult => ({ status: "rejected", reason });

function settledOf(names: readonly string[], results: SendResult[]): SendResult[] {
  const failures: string[] = [];
  let cause: unknown;
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") continue;
    cause ??= result.reason;
    failures.push(`output "${names[index]}": ${messageOf(result.reason).replace(/\.$/, "")}`);
  }
  if (failures.length === 0) return markSettled(results);
  throw Object.assign(frameworkError("FF_SEND_FAILED", { failures }, { cause }), { results });
}

const settledResults = new WeakSet<object>();

function markSettled(results: SendResult[]): SendResult[] {
  settledResults.add(results);
  return results;
}

/** True for what `ctx.send` resolved to: returned by a function it counts as undefined, so that one-liners stay 204. */
export function isSendResult(value: unknown): boolean {
  return typeof value === "object" && value !== null && settledResults.has(value);
}
