/** The sends of one invocation: in order per output, and none forgotten before the outcome is decided. */
import { type FrameworkError, frameworkError, messageOf } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { logError } from "../core/log";
import { TrackedPromise } from "../core/tracked-promise";
import type { Outputs } from "../dapr/outputs";
import type { SendOptions, SendReply, SendResult } from "../functions/types";

/** What a failed `ctx.send` rejects with: code FF_SEND_FAILED, and the result of every output. */
export interface SendError extends FrameworkError {
  results: SendResult[];
}

export class Sends {
  readonly #outputs: Outputs;
  readonly #invocation: Invocation;
  #open: TrackedPromise<SendResult[]>[] | undefined; // made at the first send: most invocations of a sink send nothing
  #lastOf: Map<string, Promise<unknown>> | undefined;

  constructor(outputs: Outputs, invocation: Invocation) {
    this.#outputs = outputs;
    this.#invocation = invocation;
  }

  send(data: unknown, output?: string | null, options?: SendOptions | null): Promise<SendResult[]> {
    const work = this.#sendAll(data, output ?? undefined, options ?? {});
    const tracked = TrackedPromise.follow(work);
    if (this.#invocation.settled) void work.catch((err) => this.#reportLate(err));
    this.#open ??= [];
    this.#open.push(tracked);
    return tracked;
  }

  /** True when there is nothing to wait for. */
  get isEmpty(): boolean {
    return this.#open === undefined || this.#open.length === 0;
  }

  /** Waits for every send, also for those made meanwhile. Rejects with the first failure that nobody handled. */
  async settle(): Promise<void> {
    let failure: { reason: unknown } | undefined;
    for (let next = this.#open?.shift(); next; next = this.#open?.shift()) {
      failure ??= await next.unhandledFailure();
    }
    if (failure) throw failure.reason;
  }

  // The outcome was decided before this send was made: a log line is all that can be done.
  #reportLate(err: unknown): void {
    logError(err, { function: this.#invocation.function, invocation: this.#invocation.id });
  }

  async #sendAll(data: unknown, output: string | undefined, options: SendOptions): Promise<SendResult[]> {
    const { names } = this.#outputs;
    if (output !== undefined && !names.includes(output)) {
      throw frameworkError("FF_SEND_UNKNOWN_OUTPUT", { output: String(output), known: [...names] });
    }
    const wanted = output === undefined ? names : [output];
    const results = await Promise.allSettled(wanted.map((name) => this.#sendInOrder(name, data, options)));
    const failures = results.flatMap((result, index) =>
      result.status === "rejected"
        ? [`output "${wanted[index]}": ${messageOf(result.reason).replace(/\.$/, "")}`]
        : [],
    );
    if (failures.length > 0) throw sendError(failures, results);
    return markSettled(results);
  }

  #sendInOrder(name: string, data: unknown, options: SendOptions): Promise<SendReply> {
    const post = () => this.#outputs.send(name, data, options, this.#invocation);
    this.#lastOf ??= new Map();
    const before = this.#lastOf.get(name);
    const work = before ? before.then(post, post) : post();
    this.#lastOf.set(name, work);
    return work;
  }
}

function sendError(failures: string[], results: SendResult[]): SendError {
  const reason = results.find((result) => result.status === "rejected")?.reason;
  return Object.assign(frameworkError("FF_SEND_FAILED", { failures }, { cause: reason }), { results });
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
