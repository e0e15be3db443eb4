/** `--health`: whether the process lives and whether it wants requests, for probes. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { messageOf } from "../core/errors";
import { log } from "../core/log";
import { replyText } from "../core/reply";

/** A user's own check: it fails when it throws, rejects, or gives `false` or a `statusCode` of 400 and above. */
export type HealthCheck = (() => unknown) & { path?: string };

export interface HealthOptions {
  liveness?: HealthCheck | undefined;
  readiness?: HealthCheck | undefined;
  /** LIVENESS_URL and READINESS_URL change the paths. */
  env: NodeJS.ProcessEnv;
  isStopping: () => boolean;
}

interface Probe {
  path: string;
  /** What is said when it fails. */
  failure: string;
  check: () => unknown;
}

const slowest = 5_000; // ms

/** Answers a probe, or returns false: the request is for the function. */
export function createHealth({ liveness, readiness, env, isStopping }: HealthOptions) {
  const probes: Probe[] = [
    {
      path: rooted(env.LIVENESS_URL || liveness?.path || "/health/liveness"),
      failure: "not alive",
      check: () => liveness?.(),
    },
    {
      path: rooted(env.READINESS_URL || readiness?.path || "/health/readiness"),
      failure: "not ready",
      check: () => (isStopping() ? false : readiness?.()),
    },
  ];
  const isGood = new Map<Probe, boolean>();

  async function answer(probe: Probe, res: ServerResponse): Promise<void> {
    const problem = await problemOf(probe);
    // Probes come every few seconds: only a change is news.
    if (problem !== undefined && isGood.get(probe) !== false && !isStopping())
      log.warn(`${probe.path} answers 503: ${problem}`);
    isGood.set(probe, problem === undefined);
    if (problem === undefined) replyText(res, 200, "OK");
    else replyText(res, 503, probe.failure);
  }

  return (req: IncomingMessage, res: ServerResponse, path: string): boolean => {
    const probe = probes.find((one) => one.path === path);
    if (probe === undefined) return false;
    if (req.method === "GET" || req.method === "HEAD") void answer(probe, res);
    else replyText(res, 405, `${req.method} is not allowed here.`, { Allow: "GET, HEAD" });
    return true;
  };
}

// The path of a request begins with a slash, so one without could never be asked for.
function rooted(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

async function problemOf({ check }: Probe): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the check has no result after ${slowest / 1000} s`)), slowest);
  });
  try {
    const result = await Promise.race([check(), late]);
    if (result === false) return "the check says false";
    const status = (result as { statusCode?: unknown } | null | undefined)?.statusCode;
    return typeof status === "number" && status >= 400 ? `the check says ${status}` : undefined;
  } catch (err) {
    return messageOf(err);
  } finally {
    clearTimeout(timer);
  }
}
