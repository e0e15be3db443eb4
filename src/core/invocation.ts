/** One call of a function, and the only AsyncLocalStorage of the process: what runs below knows which call it serves. */
import { AsyncLocalStorage } from "node:async_hooks";

import { rawHeader } from "./http";
import { createLogger, type Logger } from "./log";
import type { InvocationSpan } from "./span";
import {
  parseCloudTrace,
  parseTraceparent,
  type TraceContext,
  type TraceHeaders,
  traceHeaders,
  traceparentOfCloudTrace,
} from "./trace";

/** What set an invocation off: `http`, `binding:NAME`, `topic:PUBSUB/TOPIC`. */
export type Trigger = "http" | `binding:${string}` | `topic:${string}/${string}`;

/** Who waits for the answer, as far as an invocation looks at it: an HTTP response, or a call of another protocol. */
export interface Caller {
  readonly req: CallerRequest;
  readonly closed: boolean;
  /** False at the close: it went away before the answer. */
  readonly writableFinished: boolean;
  once(event: "close", listener: () => void): unknown;
}

/** The rest is there for HTTP. */
interface CallerRequest {
  readonly rawHeaders: readonly string[];
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion?: string;
}

/** Work of a call that may outlast its function. */
export interface OpenSends {
  readonly isEmpty: boolean;
  /** Rejects with the first failure that nobody handled. */
  settle(): Promise<void>;
  /** The answer is out: failures are lines in the log from now on. */
  close(): void;
}

/** Made once a call; what is rarely asked for is made when asked. */
export class Invocation {
  readonly function: string;
  readonly signature: string;
  readonly trigger: Trigger;
  /** Set by the signature: ends the call as failed, for errors that surface outside of its promise. */
  fail: ((thrown: unknown) => void) | undefined;
  /** True once the answer is decided; a failure after that is only logged. */
  settled = false;
  /** The error that decided the outcome. */
  error: unknown;
  /** Set before the call where something traces. */
  span: InvocationSpan | undefined;
  /** What a `(ctx, data)` function is given; of others made by `openContext` when it is asked for. */
  ctx: unknown;
  openContext: ((this: Invocation) => unknown) | undefined;
  /** What was sent through a ctx that was opened; waited for before the outcome is decided. */
  sends: OpenSends | undefined;
  readonly #res: Caller;
  #id: string | undefined;
  #abort: AbortController | undefined;
  #abortReason: unknown;
  #log: Logger | undefined;
  #locals: Record<string, unknown> | undefined;

  constructor(name: string, signature: string, trigger: Trigger, res: Caller) {
    this.function = name;
    this.signature = signature;
    this.trigger = trigger;
    this.#res = res;
  }

  /** The caller's `function-execution-id`, else one of our own. It stands in log lines, so only a plain text counts. */
  get id(): string {
    if (this.#id === undefined) {
      const stated = rawHeader(this.#res.req, "function-execution-id");
      this.#id = stated !== undefined && plainId.test(stated) ? stated : newId();
    }
    return this.#id;
  }

  /** The first value of a header that came with the call; its name in lower case. */
  header(name: string): string | undefined {
    return rawHeader(this.#res.req, name);
  }

  /** Where the call stands in a trace: its own span, else its caller's, when a header says so. */
  get trace(): TraceContext | undefined {
    if (this.span) return this.span.ids;
    const traceparent = rawHeader(this.#res.req, "traceparent");
    return (traceparent === undefined ? undefined : parseTraceparent(traceparent)) ?? this.cloudTrace;
  }

  /** The same by Google's header alone. */
  get cloudTrace(): TraceContext | undefined {
    const header = rawHeader(this.#res.req, "x-cloud-trace-context");
    return header === undefined ? undefined : parseCloudTrace(header);
  }

  /** What requests made by this call carry: its own span, else the caller's headers as they came. */
  get traceHeaders(): TraceHeaders | undefined {
    return this.span ? this.span.headers : this.callerTrace;
  }

  /** The caller's headers as they came, so that its trace goes on. */
  get callerTrace(): TraceHeaders | undefined {
    const { req } = this.#res;
    const traceparent = rawHeader(req, "traceparent");
    const stated =
      traceparent === undefined ? undefined : traceHeaders(traceparent, rawHeader(req, "tracestate"));
    if (stated) return stated;
    const header = rawHeader(req, "x-cloud-trace-context");
    return header === undefined ? undefined : traceHeaders(traceparentOfCloudTrace(header), undefined);
  }

  /** Aborted when the caller is gone before the answer, the deadline is over, or the process must end. */
  get signal(): AbortSignal {
    return this.abortController.signal;
  }

  get abortController(): AbortController {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.#abortReason !== undefined) abort.abort(this.#abortReason);
      // Seen on the response: a request whose body was read is "closed" at once.
      const onClose = () => {
        abortable.delete(this);
        if (!this.#res.writableFinished) this.abort(new Error("The caller is gone."));
      };
      if (this.#res.closed) onClose();
      else {
        abortable.add(this);
        this.#res.once("close", onClose);
      }
    }
    return this.#abort;
  }

  /** Where the answer goes; hooks and functions get their own view of it. */
  get response(): Caller {
    return this.#res;
  }

  /** Aborts the signal, also one that nobody has asked for yet. What its listeners throw belongs to the invocation. */
  abort(reason: unknown): void {
    this.#abortReason ??= reason;
    const abort = this.#abort;
    if (abort) runInvocation(this, () => abort.abort(reason));
  }

  get log(): Logger {
    this.#log ??= createLogger({ function: this.function, invocation: this.id, ...this.trace });
    return this.#log;
  }

  /** Free for hooks and user code; empty at the start of every invocation. */
  get locals(): Record<string, unknown> {
    this.#locals ??= {};
    return this.#locals;
  }
}

// Those whose signal somebody holds: the end of the process is told to them.
const abortable = new Set<Invocation>();

/** Aborts the signal of every invocation that is under way. */
export function abortAll(reason: unknown): void {
  for (const invocation of abortable) invocation.abort(reason);
}

const plainId = /^[\w.:+/=-]{1,128}$/;

// The form of the original frameworks: 12 base-36 characters, the first six from the clock.
function newId(): string {
  const random = Math.floor(Math.random() * 36 ** 6).toString(36);
  return Date.now().toString(36).slice(-6) + random.padStart(6, "0");
}

const storage = new AsyncLocalStorage<Invocation>();

/** The invocation that the running code belongs to, or undefined outside of any. */
export function currentInvocation(): Invocation | undefined {
  return storage.getStore();
}

/** Runs `work` so that everything it starts belongs to the invocation: `runInvocation(invocation, work, ...args)`. */
export const runInvocation = storage.run.bind(storage) as <A extends unknown[], R>(
  invocation: Invocation,
  work: (...args: A) => R,
  ...args: A
) => R;
