/** A pooled HTTP client with timeouts, for the sidecar's API and for the app behind a sidecar. */
import type { Dispatcher, Pool } from "undici";

import { frameworkError, messageOf } from "../core/errors";
import { lazyRequire } from "../core/lazy";

export interface ClientRequest {
  method: "GET" | "POST" | "DELETE" | "OPTIONS";
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer | undefined;
  signal?: AbortSignal | undefined;
  /** Milliseconds for all of it, waiting for a connection included; the error is then {@link requestTimeout}. Default: none. */
  timeoutMs?: number | undefined;
}

export interface ClientReply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

export interface HttpClient {
  readonly origin: string;
  /** Any status is a reply. Error: FF_SIDECAR_UNREACHABLE when there is none within the timeout. */
  request(request: ClientRequest): Promise<ClientReply>;
  /** The same without a promise: one of the two is called, once and later. The failure is the bare cause. */
  dispatch(request: ClientRequest, onReply: OnReply, onFailure: OnFailure): void;
  /** Finishes what is under way, then ends the connections. */
  close(): Promise<void>;
  /** Ends the connections, and what still waits on them. */
  destroy(): Promise<void>;
}

export type OnReply = (reply: ClientReply) => void;
/** `isSent` once its bytes may have left. */
export type OnFailure = (cause: unknown, isSent: boolean) => void;

export interface HttpClientOptions {
  /** The error of a request that gets no reply. Default: FF_SIDECAR_UNREACHABLE. */
  unreachable?: (why: string, cause: unknown) => Error;
  /** Milliseconds to wait for the reply's head, and between two parts of its body; 0 = for ever. Default 30 s. */
  timeout?: number;
  /** The UNIX socket where the origin listens. Default: its host and port. */
  socketPath?: string | undefined;
}

/** What a request fails with whose time is over. */
export const requestTimeout = new Error("there is no answer in time");

/** Opens nothing before the first request. The pool alone: all of undici costs four times its 22 ms. */
export function createHttpClient(
  origin: string,
  { timeout = 30_000, unreachable = sidecarUnreachable(origin), socketPath }: HttpClientOptions = {},
): HttpClient {
  let pool: Pool | undefined;

  function open(): Pool {
    const PoolClass = loadPool();
    return new PoolClass(origin, {
      connections: 128,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connect: { timeout: 10_000, ...(socketPath !== undefined && { socketPath }) },
      keepAliveTimeout: 30_000,
    });
  }

  function dispatch(
    { method, path, headers = {}, body, signal, timeoutMs }: ClientRequest,
    onReply: OnReply,
    onFailure: OnFailure,
  ): void {
    if (signal?.aborted) return void queueMicrotask(() => onFailure(signal.reason, false));
    pool ??= open();
    let isDispatched = false;
    // A pool that is closed, or that refuses the request, says so at once: never before we return.
    const fail: OnFailure = (cause, isSent) =>
      isDispatched ? onFailure(cause, isSent) : queueMicrotask(() => onFailure(cause, isSent));
    const collector = new Collector(onReply, fail, signal, timeoutMs);
    pool.dispatch({ method, path, headers, body: body ?? null }, collector);
    isDispatched = true;
  }

  return {
    origin,
    dispatch,
    request: (request) =>
      new Promise((resolve, reject) => {
        dispatch(request, resolve, (cause) => reject(unreachable(messageOf(cause), cause)));
      }),
    close: async () => pool?.close(),
    destroy: async () => pool?.destroy(),
  };
}

function sidecarUnreachable(origin: string) {
  return (why: string, cause: unknown) =>
    frameworkError("FF_SIDECAR_UNREACHABLE", { origin, why }, { cause });
}

/** The pool alone costs a quarter of undici's start. Where a version has it elsewhere, the public way still works. */
function loadPool(): typeof Pool {
  try {
    return lazyRequire("undici/lib/dispatcher/pool.js");
  } catch {
    return (lazyRequire("undici") as { Pool: typeof Pool }).Pool;
  }
}

const largestReply = 64 * 1024 ** 2;

// Collects one reply; implements undici's handler interface. Ends once: by the reply, an error, an abort or the time.
class Collector implements Dispatcher.DispatchHandler {
  readonly #resolve: OnReply;
  readonly #reject: OnFailure;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: (() => void) | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined; // there once it is being sent
  #stopped: { reason: Error } | undefined;
  #status = 0;
  #size = 0;
  #headers: ClientReply["headers"] = {};

  constructor(
    resolve: OnReply,
    reject: OnFailure,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    if (signal) {
      this.#signal = signal;
      this.#onAbort = () => this.#stop(signal.reason);
      signal.addEventListener("abort", this.#onAbort);
    }
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.#stop(requestTimeout), timeoutMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#stopped) return controller.abort(this.#stopped.reason);
    this.#controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: ClientReply["headers"],
  ): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > largestReply)
      return controller.abort(new Error(`the reply is larger than ${largestReply} bytes`));
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#stopped) return;
    this.#release();
    const [first, second] = this.#chunks;
    const body = first !== undefined && second === undefined ? first : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, err: Error): void {
    if (this.#stopped) return;
    this.#release();
    this.#reject(err, this.#controller !== undefined);
  }

  // One that still waits for a connection has no controller yet, and is not held up by it.
  #stop(reason: unknown): void {
    const error = reason instanceof Error ? reason : new Error(messageOf(reason));
    this.#stopped = { reason: error };
    this.#release();
    this.#reject(error, this.#controller !== undefined);
    this.#controller?.abort(error);
  }

  #release(): void {
    clearTimeout(this.#timer);
    if (this.#onAbort) this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}
