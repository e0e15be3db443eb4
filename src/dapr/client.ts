/** A pooled HTTP client with timeouts, for the sidecar's API and for the app behind a sidecar. */
import type { Dispatcher, Pool } from "undici";

import { frameworkError, messageOf } from "../core/errors";
import { lazyRequire } from "../core/lazy";

export interface ClientRequest {
  method: "GET" | "POST" | "OPTIONS";
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer | undefined;
  signal?: AbortSignal | undefined;
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
  /** Finishes what is under way, then ends the connections. */
  close(): Promise<void>;
  /** Ends the connections, and what still waits on them. */
  destroy(): Promise<void>;
}

export interface HttpClientOptions {
  /** The error of a request that gets no reply. Default: FF_SIDECAR_UNREACHABLE. */
  unreachable?: (why: string, cause: unknown) => Error;
  /** Milliseconds to wait for the reply's head, and between two parts of its body; 0 = for ever. Default 30 s. */
  timeout?: number;
  /** The UNIX socket where the origin listens. Default: its host and port. */
  socketPath?: string | undefined;
}

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

  return {
    origin,
    request({ method, path, headers = {}, body, signal }) {
      pool ??= open();
      return new Promise((resolve, reject) => {
        const refuse = (err: unknown) => reject(unreachable(messageOf(err), err));
        if (signal?.aborted) return refuse(signal.reason);
        (pool as Pool).dispatch(
          { method, path, headers, body: body ?? null },
          new Collector(resolve, refuse, signal),
        );
      });
    },
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

// Collects one reply; implements undici's handler interface.
class Collector implements Dispatcher.DispatchHandler {
  readonly #resolve: (reply: ClientReply) => void;
  readonly #reject: (err: unknown) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #chunks: Buffer[] = [];
  #status = 0;
  #size = 0;
  #headers: ClientReply["headers"] = {};
  #abort: (() => void) | undefined;

  constructor(
    resolve: (reply: ClientReply) => void,
    reject: (err: unknown) => void,
    signal: AbortSignal | undefined,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (!this.#signal) return;
    const signal = this.#signal;
    this.#abort = () => controller.abort(signal.reason);
    if (signal.aborted) this.#abort();
    else signal.addEventListener("abort", this.#abort, { once: true });
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
    this.#release();
    const [first, second] = this.#chunks;
    const body = first !== undefined && second === undefined ? first : Buffer.concat(this.#chunks);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, err: Error): void {
    this.#release();
    this.#reject(err);
  }

  #release(): void {
    if (this.#abort) this.#signal?.removeEventListener("abort", this.#abort);
  }
}
