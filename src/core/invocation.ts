/** One call of a function, and the only AsyncLocalStorage of the process: what runs below knows which call it serves. */
import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";

import { createLogger, type Logger } from "./log";

/** What set an invocation off: `http`, `binding:NAME`, `topic:PUBSUB/TOPIC`. */
export type Trigger = "http" | `binding:${string}` | `topic:${string}/${string}`;

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
  readonly #res: ServerResponse;
  #id: string | undefined;
  #abort: AbortController | undefined;
  #log: Logger | undefined;

  constructor(name: string, signature: string, trigger: Trigger, res: ServerResponse) {
    this.function = name;
    this.signature = signature;
    this.trigger = trigger;
    this.#res = res;
  }

  get id(): string {
    this.#id ??= randomUUID();
    return this.#id;
  }

  /** Aborted when the caller is gone before the answer, or the process must end. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      // Seen on the response: a request whose body was read is "closed" at once.
      const onClose = () => this.#res.writableFinished || abort.abort(new Error("The caller is gone."));
      if (this.#res.closed) onClose();
      else this.#res.once("close", onClose);
    }
    return this.#abort.signal;
  }

  get log(): Logger {
    this.#log ??= createLogger({ function: this.function, invocation: this.id });
    return this.#log;
  }
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
