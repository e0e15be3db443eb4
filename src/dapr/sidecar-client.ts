/** Calls of the sidecar's HTTP API: it is waited for, the token and the caller's trace go along, an error is in words. */
import { frameworkError, messageOf } from "../core/errors";
import type { TraceHeaders } from "../core/trace";
import {
  type ClientReply,
  createHttpClient,
  type HttpClient,
  type OnFailure,
  type OnReply,
  requestTimeout,
} from "./client";
import { createReadiness, type Readiness } from "./readiness";
import { readJsonOrText } from "./reply";
import type { Sidecar } from "./sidecar";

export interface SidecarRequest {
  method: "GET" | "POST" | "DELETE";
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Milliseconds for all of it, waiting for the sidecar included. Default 30 s. */
  timeoutMs?: number | undefined;
}

/** On whose behalf the sidecar is called. */
export interface SidecarCaller {
  /** Its abort ends the call. */
  signal: AbortSignal;
  trace: TraceHeaders | undefined;
}

/** What the sidecar said: the `cause` of FF_SIDECAR_REFUSED and FF_STATE_CONFLICT. */
export interface SidecarRefusal {
  /** HTTP status of its answer. */
  status: number;
  /** Dapr's word, such as `ERR_PUBSUB_NOT_FOUND`. */
  errorCode: string | undefined;
  message: string;
}

export interface SidecarClient {
  readonly sidecar: Sidecar;
  /**
   * The answer, which is a 2xx. What never reached the sidecar is tried again while there is time; anything else is not.
   * Errors: FF_SIDECAR_REFUSED, FF_SIDECAR_NOT_READY, FF_SIDECAR_TIMEOUT, FF_SIDECAR_LOST, FF_SIDECAR_ABORTED.
   */
  call(request: SidecarRequest, caller: SidecarCaller): Promise<ClientReply>;
  /** The same without a promise, for what is called often: one of the two is called, once and later. */
  dispatch(
    request: SidecarRequest,
    caller: SidecarCaller,
    onReply: (reply: ClientReply) => void,
    onFailure: (reason: unknown) => void,
  ): void;
  /** Begins to look for the sidecar; without it the first call does. */
  watch(): void;
  close(): Promise<void>;
}

const defaultTimeout = 30_000; // ms

/** How the sidecar is reached, when not over the network. */
export interface SidecarTransport {
  client: Pick<HttpClient, "dispatch" | "destroy">;
  readiness: Readiness;
}

/** Opens no connection before the first call. */
export function createSidecarClient(
  sidecar: Sidecar,
  {
    readiness = createReadiness(sidecar),
    client = createHttpClient(sidecar.origin, { timeout: 0 }), // each call has a timeout of its own
  }: Partial<SidecarTransport> = {},
): SidecarClient {
  const { origin, token } = sidecar;
  const own: Record<string, string> | undefined =
    token === undefined ? undefined : { "dapr-api-token": token };

  function attempt(
    { method, path, headers = {}, body }: SidecarRequest,
    { signal, trace }: SidecarCaller,
    timeoutMs: number,
    onReply: OnReply,
    onFailure: OnFailure,
  ): void {
    const all = own || trace ? { ...headers, ...own, ...trace } : headers;
    client.dispatch({ method, path, headers: all, body, signal, timeoutMs }, onReply, onFailure);
  }

  function attemptOnce(
    request: SidecarRequest,
    caller: SidecarCaller,
    timeoutMs: number,
  ): Promise<ClientReply> {
    return new Promise((resolve, reject) => {
      attempt(request, caller, timeoutMs, resolve, (cause, isSent) => reject(new NoReply(cause, isSent)));
    });
  }

  async function callWaiting(
    request: SidecarRequest,
    caller: SidecarCaller,
    end: number,
  ): Promise<ClientReply> {
    for (;;) {
      await untilReady(request, caller.signal, end);
      try {
        const reply = await attemptOnce(request, caller, Math.max(1, end - performance.now()));
        if (isGood(reply)) return reply;
        throw refused(request, reply);
      } catch (err) {
        lookAgainOrThrow(request, caller, err);
      }
    }
  }

  // Returns when it is worth another try.
  function lookAgainOrThrow(request: SidecarRequest, { signal }: SidecarCaller, err: unknown): void {
    if (!(err instanceof NoReply)) throw err;
    if (signal.aborted) throw aborted(request, signal.reason);
    if (!isAway(err)) throw explain(request, err);
    readiness.lost();
  }

  function untilReady(request: SidecarRequest, signal: AbortSignal, end: number): Promise<void> | undefined {
    if (readiness.isReady && performance.now() < end) return undefined;
    readiness.watch();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        forget();
        settle();
      };
      const onAbort = () => finish(() => reject(aborted(request, signal.reason)));
      const timer = setTimeout(
        () => finish(() => reject(notReady(request))),
        Math.max(0, end - performance.now()),
      );
      const forget = readiness.onReady(() => finish(resolve));
      signal.addEventListener("abort", onAbort);
      if (signal.aborted) onAbort();
    });
  }

  function notReady({ timeoutMs = defaultTimeout }: SidecarRequest): Error {
    const { why } = readiness;
    return frameworkError("FF_SIDECAR_NOT_READY", { origin, seconds: timeoutMs / 1000, why });
  }

  function explain(request: SidecarRequest, { reason, isSent }: NoReply): Error {
    const what = `${request.method} ${request.path}`;
    const { timeoutMs = defaultTimeout } = request;
    if (reason === requestTimeout)
      return frameworkError("FF_SIDECAR_TIMEOUT", { origin, what, seconds: timeoutMs / 1000 });
    const why = messageOf(reason);
    return isSent
      ? frameworkError("FF_SIDECAR_LOST", { origin, what, why }, { cause: reason })
      : frameworkError("FF_SIDECAR_UNREACHABLE", { origin, why }, { cause: reason });
  }

  const dispatch: SidecarClient["dispatch"] = (request, caller, onReply, onFailure) => {
    const { timeoutMs = defaultTimeout } = request;
    const end = performance.now() + timeoutMs;
    if (!readiness.isReady) return void callWaiting(request, caller, end).then(onReply, onFailure);
    attempt(
      request,
      caller,
      timeoutMs,
      (reply) => (isGood(reply) ? onReply(reply) : onFailure(refused(request, reply))),
      (cause, isSent) => {
        try {
          lookAgainOrThrow(request, caller, new NoReply(cause, isSent));
        } catch (err) {
          return onFailure(err);
        }
        callWaiting(request, caller, end).then(onReply, onFailure);
      },
    );
  };

  return {
    sidecar,
    dispatch,
    call: (request, caller) => new Promise((resolve, reject) => dispatch(request, caller, resolve, reject)),
    watch: readiness.watch,
    close() {
      readiness.stop();
      return client.destroy(); // what is under way has had the grace period
    },
  };
}

// A request without an answer.
class NoReply extends Error {
  readonly reason: unknown;
  readonly isSent: boolean;

  constructor(reason: unknown, isSent: boolean) {
    super(messageOf(reason));
    this.reason = reason;
    this.isSent = isSent;
  }
}

const away = [
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EPIPE",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_SOCKET",
];

/** True when no byte of the request can have arrived, and the sidecar is not there just now. */
function isAway({ reason, isSent }: NoReply): boolean {
  const { code } = (reason ?? {}) as { code?: unknown };
  return !isSent && typeof code === "string" && away.includes(code);
}

function aborted({ method, path }: SidecarRequest, reason: unknown): Error {
  const details = { what: `${method} ${path}`, why: messageOf(reason) };
  return frameworkError("FF_SIDECAR_ABORTED", details, { cause: reason });
}

function isGood({ status }: ClientReply): boolean {
  return status >= 200 && status <= 299;
}

function refused({ path }: SidecarRequest, reply: ClientReply): Error {
  const refusal = refusalOf(reply);
  const { status, errorCode, message: text } = refusal;
  return frameworkError("FF_SIDECAR_REFUSED", { path, status, errorCode, text }, { cause: refusal });
}

// Dapr: {"errorCode", "message"}; the refusal of a token is plain text.
function refusalOf({ status, body }: ClientReply): SidecarRefusal {
  const said = readJsonOrText(body) as { errorCode?: unknown; message?: unknown } | string | undefined;
  if (typeof said !== "object" || said === null)
    return { status, errorCode: undefined, message: String(said ?? "").slice(0, 500) };
  const { errorCode, message } = said;
  return {
    status,
    errorCode: typeof errorCode === "string" ? errorCode : undefined,
    message: typeof message === "string" ? message : JSON.stringify(said).slice(0, 500),
  };
}
