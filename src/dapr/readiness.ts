/** Looks for the sidecar in the background: the function listens first, because a sidecar waits for its app too. */
import type { ClientRequest, IncomingMessage } from "node:http";

import { createBackoff } from "../core/backoff";
import { frameworkError, messageOf } from "../core/errors";
import { lazyRequire } from "../core/lazy";
import { log, logError } from "../core/log";
import type { Sidecar } from "./sidecar";

export interface Readiness {
  /** True from the first good answer until {@link lost}. */
  readonly isReady: boolean;
  /** Begins to look, if nobody does yet. */
  watch(): void;
  /** What is called when the sidecar is ready, once; the returned function takes it back. */
  onReady(go: () => void): () => void;
  /** Why it was not ready when it was asked last. */
  readonly why: string;
  /** A connection was refused: it is looked for again. */
  lost(): void;
  stop(): void;
}

const pauses = { initial: 50, factor: 2, max: 1000 }; // ms between two questions
const patience = 3000; // ms for an answer
const firstLine = 2000; // ms until it is worth a line
const betweenLines = 5000;
const deadline = 60_000; // ms until somebody should look; from then on a line a minute

/** Asks nothing before the first {@link Readiness.watch}. */
export function createReadiness(sidecar: Sidecar): Readiness {
  const { origin } = sidecar;
  const waiting = new Set<() => void>();
  let isReady = false;
  let why = "it was not asked yet";
  let isStopped = false;
  let isLooking = false;
  let open: ClientRequest | undefined;
  let timer: NodeJS.Timeout | undefined;

  function watch(firstPause = 0): void {
    if (isReady || isStopped || isLooking) return;
    isLooking = true;
    const pause = createBackoff(pauses);
    const started = performance.now();
    let nextLine = firstLine;
    let hasTold = false;

    const tell = (ms: number) => {
      hasTold = true;
      const seconds = Math.round(ms / 1000);
      if (ms < deadline) log.info(`Waiting for the sidecar at ${origin} for ${seconds} s now: ${why}.`);
      else logError(frameworkError("FF_SIDECAR_NOT_READY", { origin, seconds, why }));
      nextLine = ms < deadline ? Math.min(ms + betweenLines, Math.max(deadline, ms)) : ms + deadline;
    };
    const look = () => {
      ask((reason) => {
        if (isStopped) return;
        if (reason === undefined) {
          isLooking = false;
          isReady = true;
          const seconds = ((performance.now() - started) / 1000).toFixed(1);
          if (hasTold) log.info(`The sidecar at ${origin} is ready, after ${seconds} s.`);
          for (const go of [...waiting]) go();
          return waiting.clear();
        }
        why = reason;
        const ms = performance.now() - started;
        if (ms >= nextLine) tell(ms);
        timer = setTimeout(look, pause.next()).unref();
      });
    };
    if (firstPause === 0) look();
    else timer = setTimeout(look, firstPause).unref();
  }

  /** Tells why the sidecar is not ready, undefined when it is. */
  function ask(tell: (reason: string | undefined) => void): void {
    get("/v1.0/healthz/outbound", (status, failure) => {
      if (status === undefined) return tell(failure);
      // An old sidecar does not know the path; one of ours or a stand-in may know neither.
      if (status !== 404) return tell(status < 500 ? undefined : "its components are not there yet");
      get("/v1.0/metadata", (other, reason) =>
        tell(other === undefined ? reason : other < 500 ? undefined : `it answers ${other}`),
      );
    });
  }

  // Not by the pool, which takes 22 ms to load while the function may never send.
  function get(path: string, done: (status: number | undefined, failure: string) => void): void {
    const { request } = lazyRequire(
      origin.startsWith("https:") ? "node:https" : "node:http",
    ) as typeof import("node:http");
    let isDone = false;
    const once = (status: number | undefined, failure = "") => {
      if (isDone) return;
      isDone = true;
      done(status, failure);
    };
    const headers = sidecar.token === undefined ? {} : { "dapr-api-token": sidecar.token };
    open = request(`${origin}${path}`, { agent: false, headers, timeout: patience })
      .on("socket", (socket) => socket.unref())
      .on("response", (res: IncomingMessage) => {
        res.resume().on("error", () => undefined);
        once(res.statusCode);
      })
      .on("timeout", () => open?.destroy(new Error(`no answer within ${patience / 1000} s`)))
      .on("error", (err) => once(undefined, messageOf(err)));
    open.end();
  }

  return {
    get isReady() {
      return isReady;
    },
    get why() {
      return why;
    },
    watch: () => watch(),
    onReady(go) {
      waiting.add(go);
      return () => waiting.delete(go);
    },
    lost() {
      isReady = false;
      watch(pauses.initial); // one that answers this question but no other must not be asked without end
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
      open?.destroy();
    },
  };
}
