/**
 * What becomes of one message, whatever brought it: a place, the attempts and the pauses between them, the outcome.
 * Transports (inputs-http) make a `Delivery` of what they receive and put the answer into the words of their caller.
 */
import { createBackoff } from "../core/backoff";
import { frameworkError, messageOf } from "../core/errors";
import { type Invocation, runInvocation } from "../core/invocation";
import { log, logError } from "../core/log";
import type { RetryRule } from "../core/retry-rule";
import { asBytes, toJson } from "../dapr/wire";
import { askedOutcome } from "../functions/outcomes";
import type { Origin } from "../signatures/context";
import { type CallEnd, createOpenFunctionCall, type OpenFunctionCall } from "../signatures/openfunction";
import type { Target } from "../signatures/signature";
import { hasListeners } from "../telemetry/channels";
import type { Concurrency } from "./concurrency";
import { startDeadline } from "./deadline";
import { defaultPace, Failures } from "./failures";
import { reportInvocation } from "./news";
import { type PauseEnd, Pauses } from "./pauses";

/** A message for the function, and the way back to who brought it. */
export interface Delivery {
  /** Name of the input. */
  readonly input: string;
  readonly isBinding: boolean;
  readonly data: unknown;
  readonly origin: Origin;
  /** Of the event, when it has one: failures of the same message are counted together. */
  readonly id: string | undefined;
  /** Milliseconds after which a failure loses the message, because its caller gives up; undefined: never. */
  readonly lostAfter: number | undefined;
  /** A new invocation for every attempt: nothing of one is seen by the next. */
  open(attempt: number): Invocation;
  /** True when nobody waits for the answer any more. */
  isGone(): boolean;
  onGone(listener: () => void): void;
  /** The status that an outcome is answered with, for the news. */
  statusOf(word: Answer["word"]): number;
  answer(answer: Answer): void;
  /** The function is not called again: what it was given need not be kept while the answer is held back. */
  release(): void;
}

export type Answer =
  | { word: "ack"; value: EncodedValue | undefined }
  | { word: "drop" }
  /** `unheard`: the function was not asked, or not to the end, because the server stops or too many wait. */
  | { word: "retry"; error: unknown; unheard?: "stopping" | "full" };

/** What a function that a binding called has returned; the component gets it. */
export interface EncodedValue {
  type: string;
  bytes: string | Buffer;
}

export interface DeliveriesOptions {
  target: Target;
  /** Seconds until an attempt that goes on counts as failed; 0 = for ever. */
  timeout: number;
  /** Attempts above the limit wait; undefined when nobody counts. */
  concurrency: Concurrency | undefined;
  /** `--retry`; undefined: one attempt, and failures are slowed down. */
  retry: RetryRule | undefined;
  /** Sees every attempt as it begins. */
  onInvocation?: ((invocation: Invocation) => void) | undefined;
}

export interface Deliveries {
  deliver(delivery: Delivery): void;
  /** The server stops: no more pauses. What waits for another attempt is answered now. */
  stop(): void;
}

/** What all deliveries of a function share. */
interface Shared {
  readonly options: DeliveriesOptions;
  readonly call: OpenFunctionCall;
  readonly pauses: Pauses;
  readonly failures: Failures;
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const shared: Shared = {
    options,
    call: createOpenFunctionCall(options.target),
    pauses: new Pauses(),
    failures: new Failures(options.retry?.backoff ?? defaultPace),
  };
  return {
    deliver: (delivery) => new Run(shared, delivery).enter(),
    stop: () => shared.pauses.stop(),
  };
}

/** One delivery, over all its attempts. */
class Run implements CallEnd {
  readonly #shared: Shared;
  readonly #delivery: Delivery;
  #attempt = 0;
  #invocation: Invocation | undefined;
  #started: number | undefined;
  #stopClock: (() => void) | undefined;
  #leave: (() => void) | undefined;
  #nextPause: (() => number) | undefined;

  constructor(shared: Shared, delivery: Delivery) {
    this.#shared = shared;
    this.#delivery = delivery;
  }

  /** Calls the function as soon as there is a place. */
  enter(): void {
    const { concurrency } = this.#shared.options;
    if (!concurrency) return this.#begin();
    if (this.#delivery.isGone()) return; // it has given up
    const start = () => this.#begin();
    // Not only at the end of the reply: pipelined, it may be behind one that waits for this place.
    const isFirst = this.#leave === undefined;
    this.#leave = concurrency.leaver(start);
    if (!concurrency.enter(start)) {
      this.#leave = () => undefined; // there is no place to give back
      return this.#refuse(concurrency.queue);
    }
    if (isFirst) this.#delivery.onGone(() => this.#leave?.());
  }

  #begin(): void {
    const { call, options } = this.#shared;
    const delivery = this.#delivery;
    const invocation = delivery.open(++this.#attempt);
    this.#invocation = invocation;
    options.onInvocation?.(invocation);
    this.#started = hasListeners("invocation") ? performance.now() : undefined;
    // The function is under way when the time is over, so there is always something to fail.
    if (options.timeout > 0) this.#stopClock = startDeadline(invocation, options.timeout, () => undefined);
    const { tracing } = options.target;
    if (tracing === undefined)
      return runInvocation(invocation, call, invocation, delivery.data, delivery.origin, this);
    invocation.span = tracing.begin(invocation, { ...delivery.origin, attempt: this.#attempt });
    invocation.span.run(() =>
      runInvocation(invocation, call, invocation, delivery.data, delivery.origin, this),
    );
  }

  done(value: unknown): void {
    let encoded: EncodedValue | undefined;
    try {
      if (this.#delivery.isBinding) encoded = encodeValue(value);
    } catch (err) {
      return this.failed(err); // a value that cannot be written: nothing was said yet
    }
    this.#end("ack");
    this.#forget();
    this.#delivery.answer({ word: "ack", value: encoded });
  }

  failed(thrown: unknown): void {
    const asked = askedOutcome(thrown);
    if (this.#invocation) this.#invocation.error = thrown;
    if (asked?.word === "drop") {
      log.warn(`The message is dropped: ${messageOf(thrown)}`, this.#fields());
      this.#end("drop");
      this.#forget();
      return this.#delivery.answer({ word: "drop" });
    }
    if (asked) log.warn(`The message is to come again: ${messageOf(thrown)}`, this.#fields());
    else logError(thrown, this.#fields());
    this.#end("retry");
    if (!this.#tryAgain(thrown, asked?.afterMs)) this.#giveUp(thrown, asked?.afterMs);
  }

  /** The attempt is over: its clock, its place, the news of it. */
  #end(outcome: Answer["word"]): void {
    this.#stopClock?.();
    this.#leave?.();
    this.#invocation?.span?.end({
      outcome,
      status: this.#delivery.statusOf(outcome),
      error: this.#invocation.error,
    });
    if (this.#started !== undefined && this.#invocation) {
      const status = this.#delivery.statusOf(outcome);
      reportInvocation(this.#invocation, { started: this.#started, outcome, status });
    }
  }

  /** True when there is going to be another attempt in this process. The pause takes no place. */
  #tryAgain(thrown: unknown, afterMs: number | undefined): boolean {
    const { pauses, options } = this.#shared;
    const { retry } = options;
    if (!retry || this.#attempt >= retry.maxAttempts || pauses.isStopping) return false;
    this.#nextPause ??= createBackoff(retry.backoff).next;
    const again = (end: PauseEnd) => {
      if (this.#delivery.isGone()) return; // its caller brings it again
      if (end === "over") this.enter();
      else this.#delivery.answer({ word: "retry", error: thrown, unheard: "stopping" });
    };
    const pause = this.#nextPause();
    return pauses.pause(Math.max(1, afterMs ?? pause), again);
  }

  #giveUp(thrown: unknown, afterMs: number | undefined): void {
    const { failures } = this.#shared;
    const failure = failures.add(this.#key());
    const { lostAfter } = this.#delivery;
    if (lostAfter !== undefined && Date.now() - failure.since > lostAfter)
      logError(frameworkError("FF_MESSAGE_LOST", { seconds: lostAfter / 1000 }), this.#fields());
    this.#hold(afterMs ?? failures.pauseOf(failure), { word: "retry", error: thrown });
  }

  /** Answers after a while, so that the message does not come back at once. */
  #hold(ms: number, answer: Answer): void {
    this.#delivery.release();
    const send = () => this.#delivery.answer(answer);
    if (!this.#shared.pauses.pause(ms, send)) send();
  }

  #refuse(limit: number): void {
    const error = frameworkError("FF_QUEUE_FULL", { limit });
    log.warn(`${error.code} ${error.message}`);
    const { initial } = this.#shared.options.retry?.backoff ?? defaultPace;
    this.#hold(initial, { word: "retry", error, unheard: "full" });
  }

  // Of the message; without an id of the input, whose failures in a row count then.
  #key(): string {
    const { input, id } = this.#delivery;
    return id === undefined ? input : `${input}\0${id}`;
  }

  #forget(): void {
    const { failures } = this.#shared;
    if (!failures.isEmpty) failures.forget(this.#key());
  }

  #fields() {
    const { input, id } = this.#delivery;
    const { trigger, id: invocation } = this.#invocation ?? {};
    const { name } = this.#shared.options.target;
    return {
      function: name,
      invocation,
      trigger,
      input,
      ...(id !== undefined && { event: id }),
      attempt: this.#attempt,
    };
  }
}

/** Throws for what has no JSON form. */
function encodeValue(value: unknown): EncodedValue | undefined {
  if (value === undefined) return undefined;
  const bytes = asBytes(value);
  if (bytes) return { type: "application/octet-stream", bytes };
  if (typeof value === "string") return { type: "text/plain; charset=utf-8", bytes: value };
  const text = toJson(value);
  return text === "" ? undefined : { type: "application/json", bytes: text };
}
