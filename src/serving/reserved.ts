/** What is answered before any function: probes, metrics, ignored routes. No body is read for them. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { logError } from "../core/log";
import { replyText } from "../core/reply";
import { pathOf } from "../core/url";
import type { Metrics } from "../telemetry/metrics";
import { createHealth, type HealthOptions } from "./health";
import { compileIgnoredRoutes } from "./ignored-routes";

export interface ReservedOptions {
  ignoredRoutes: readonly string[];
  /** Undefined: no probes. */
  health: HealthOptions | undefined;
  /** Undefined: no `/metrics`. */
  metrics: Metrics | undefined;
}

/** Answers the request, or returns false: it is for a function. Undefined when nothing is reserved. */
export type Reserved = (req: IncomingMessage, res: ServerResponse) => boolean;

export function createReserved({ ignoredRoutes, health, metrics }: ReservedOptions): Reserved | undefined {
  const ignored = compileIgnoredRoutes(ignoredRoutes);
  const probe = health && createHealth(health);
  if (!ignored && !probe && !metrics) return undefined;

  return (req, res) => {
    const path = pathOf(req.url ?? "/");
    if (probe?.(req, res, path)) return true;
    if (metrics && path === "/metrics") {
      replyMetrics(metrics, req, res);
      return true;
    }
    if (!ignored?.test(path)) return false;
    res.writeHead(404, { "Content-Length": 0 }).end();
    return true;
  };
}

function replyMetrics(metrics: Metrics, req: IncomingMessage, res: ServerResponse): void {
  if (req.method !== "GET" && req.method !== "HEAD")
    return replyText(res, 405, `${req.method} is not allowed here.`, { Allow: "GET, HEAD" });
  metrics.text().then(
    (text) => res.writeHead(200, { "Content-Type": metrics.contentType }).end(text),
    (err) => {
      logError(err);
      replyText(res, 500, "Internal Server Error");
    },
  );
}
