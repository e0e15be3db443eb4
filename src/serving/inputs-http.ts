/** The Dapr app protocol over HTTP: what a sidecar (daprd, dapr-proxy, our local runtime) asks and delivers. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { bytesOf } from "../core/bytes";
import { guessData, isJson, parseContentType } from "../core/content";
import { frameworkError, messageOf } from "../core/errors";
import { Invocation, runInvocation } from "../core/invocation";
import { log, logError } from "../core/log";
import { isToken } from "../core/origin";
import { replyJson, replyText } from "../core/reply";
import { pathOf } from "../core/url";
import { readEnvelope } from "../dapr/protocol";
import type { CloudEvent, FunctionContext } from "../functions/types";
import type { Origin } from "../signatures/context";
import { createOpenFunctionCall } from "../signatures/openfunction";
import { failureHeaders } from "../signatures/reply";
import type { Target } from "../signatures/signature";
import { hasListeners } from "../telemetry/channels";
import { readBody } from "./body";
import type { Concurrency } from "./concurrency";
import { startDeadline } from "./deadline";
import {
  chooseRoute,
  findRoutes,
  Input,
  type Route,
  type RouteTable,
  routesOf,
  subscriptionsOf,
} from "./input-routes";
import { reportInvocation } from "./news";
import { followPipelined } from "./pipelined";
import { refuse } from "./refuse";
import type { Reserved } from "./reserved";

export interface InputsOptions {
  target: Target & { context: FunctionContext };
  bodyLimit: number;
  /** Seconds until a call that goes on counts as failed, so that its message is delivered again; 0 = for ever. */
  timeout: number;
  /** Deliveries above the limit wait; undefined when nobody counts. */
  concurrency: Concurrency | undefined;
  /** What is answered before any delivery. */
  reserved: Reserved | undefined;
  /** APP_API_TOKEN: when set, the sidecar must send it as `dapr-api-token`. */
  token: string | undefined;
  isStopping: () => boolean;
}

interface Delivery {
  data: unknown;
  event?: CloudEvent | undefined;
}

export function createInputsHandler(options: InputsOptions) {
  const { target, bodyLimit, timeout, concurrency, reserved, token, isStopping } = options;
  const routes = routesOf(target.context);
  const subscriptions = JSON.stringify(subscriptionsOf(target.context));
  const call = createOpenFunctionCall(target);

  function accept(route: Route, req: IncomingMessage, res: ServerResponse, rawBody: Buffer): void {
    if (!concurrency) return deliver(route, req, res, rawBody);
    if (res.closed) return; // the sidecar has given up on it
    const start = () => deliver(route, req, res, rawBody, leave);
    // Not only at the end of the reply: pipelined, it may be behind one that waits for this place.
    const leave = concurrency.leaver(start);
    if (!concurrency.enter(start)) return refuseFull(res, route, concurrency.queue);
    res.once("close", leave);
  }

  function deliver(
    route: Route,
    req: IncomingMessage,
    res: ServerResponse,
    rawBody: Buffer,
    ended?: () => void,
  ): void {
    const { data, event } = route.caller === "binding" ? readBinding(req, rawBody) : readTopic(rawBody);
    const invocation = new Invocation(target.name, "openfunction", route.trigger, res);
    const started = hasListeners("invocation") ? performance.now() : undefined;
    // The function is under way when the time is over, so there is always something to fail.
    const stopClock = timeout > 0 ? startDeadline(invocation, timeout, () => undefined) : undefined;
    const origin: Origin = { input: new Input(route, req), event, rawBody };

    const report = (outcome: "ack" | "retry") => {
      ended?.();
      if (started !== undefined) reportInvocation(invocation, { started, outcome, status: res.statusCode });
    };
    const failed = (thrown: unknown) => {
      stopClock?.();
      invocation.error = thrown;
      logError(thrown, { function: target.name, invocation: invocation.id, trigger: route.trigger });
      replyRetry(res, route, target.production ? "Internal Server Error" : messageOf(thrown));
      report("retry");
    };
    const done = (value: unknown) => {
      stopClock?.();
      try {
        replyAck(res, route, value);
      } catch (err) {
        return failed(err); // a value that cannot be written: nothing was said yet
      }
      report("ack");
    };
    runInvocation(invocation, call, invocation, data, origin, { done, failed });
  }

  return (req: IncomingMessage, res: ServerResponse): void => {
    followPipelined(req, res);
    if (reserved?.(req, res)) return;
    const path = pathOf(req.url ?? "/");
    const { method } = req;
    if (method === "GET" && path === "/healthz")
      return isStopping() ? replyText(res, 503, "stopping") : replyText(res, 200, "OK");
    if (token !== undefined && !isToken(req.headers["dapr-api-token"], token))
      return refuse(res, frameworkError("FF_TOKEN_REFUSED", {}));
    if (method === "GET" && path === "/dapr/subscribe")
      return replyBytes(res, 200, "application/json", subscriptions);
    if (method === "GET" && path === "/dapr/config") return replyJson(res, 200, {});
    const candidates = findRoutes(routes, path);
    if (method === "OPTIONS") {
      const isBound = candidates?.some((route) => route.caller === "binding") ?? false;
      return replyBytes(res, isBound ? 200 : 404, undefined, "");
    }
    if (method !== "POST" || candidates === undefined) return refuseRoute(res, method ?? "", path, routes);
    readBody(req, bodyLimit, (err, bytes) =>
      err ? refuse(res, err) : accept(chooseRoute(candidates, req, bytes), req, res, bytes),
    );
  };
}

// Dapr says application/json of every binding message, so the header is a hint and the bytes decide.
function readBinding(req: IncomingMessage, bytes: Buffer): Delivery {
  if (bytes.length === 0) return { data: {} }; // a cron tick: existing functions read properties of it
  return { data: guessData(bytes, { json: isJson(parseContentType(req.headers["content-type"]).type) }) };
}

function readTopic(bytes: Buffer): Delivery {
  const { event, data } = readEnvelope(bytes);
  return { data, event: event as CloudEvent | undefined };
}

const failed = failureHeaders("error");

// Exactly 200: resiliency retries and dapr-proxy take any other 2xx for a failure.
function replyAck(res: ServerResponse, { caller }: Route, value: unknown): void {
  if (caller !== "binding") return replyBytes(res, 200, "application/json", '{"status":"SUCCESS"}');
  if (value === undefined) return replyBytes(res, 200, undefined, "");
  if (ArrayBuffer.isView(value)) return replyBytes(res, 200, "application/octet-stream", bytesOf(value));
  if (typeof value === "string") return replyBytes(res, 200, "text/plain; charset=utf-8", value);
  replyBytes(res, 200, "application/json", JSON.stringify(value) ?? "");
}

// RETRY in the word each caller understands: dapr-proxy reads nothing but the status.
function replyRetry(res: ServerResponse, { caller }: Route, why: string): void {
  if (caller === "announced") return replyBytes(res, 200, "application/json", '{"status":"RETRY"}', failed);
  replyBytes(res, 500, "application/json", JSON.stringify({ status: "RETRY", error: why }), failed);
}

// In the caller's words: a sidecar that is told RETRY delivers again.
function refuseFull(res: ServerResponse, route: Route, limit: number): void {
  const err = frameworkError("FF_QUEUE_FULL", { limit });
  log.warn(`${err.code} ${err.message}`);
  if (route.caller === "announced") replyBytes(res, 200, "application/json", '{"status":"RETRY"}');
  else refuse(res, err, { "Retry-After": "1" });
}

function replyBytes(
  res: ServerResponse,
  status: number,
  type: string | undefined,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  res.writeHead(status, {
    ...headers,
    ...(type && { "Content-Type": type }),
    "Content-Length": Buffer.byteLength(body),
  });
  res.end(body);
}

function refuseRoute(res: ServerResponse, method: string, path: string, routes: RouteTable): void {
  const known = [...routes]
    .filter(([, [first]]) => first?.caller !== "topic")
    .map(([route]) => `POST ${route}`);
  const err = frameworkError("FF_ROUTE_NOT_FOUND", {
    method,
    path,
    known: ["GET /dapr/subscribe", ...known],
  });
  log.warn(`${err.code} ${err.message}`); // daprd drops a message that is answered 404
  refuse(res, err);
}
