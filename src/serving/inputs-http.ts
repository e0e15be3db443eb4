/** The Dapr app protocol over HTTP: what a sidecar (daprd, dapr-proxy, our local runtime) asks and delivers. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { guessData, isJson, parseContentType } from "../core/content";
import { frameworkError } from "../core/errors";
import { log, logError } from "../core/log";
import { isToken } from "../core/origin";
import { followPipelined } from "../core/pipelined";
import { replyJson, replyText } from "../core/reply";
import { pathOf } from "../core/url";
import { readBulk, readEnvelope, unwrapTraced } from "../dapr/protocol";
import type { FunctionContext } from "../functions/types";
import type { Target } from "../signatures/signature";
import { readBody } from "./body";
import { bulkDeliveries } from "./bulk-delivery";
import { createDeliveries, type DeliveriesOptions } from "./delivery";
import { HttpDelivery } from "./http-delivery";
import { replyBytes, replyOutcome, replyUnfinished } from "./input-replies";
import {
  chooseTopic,
  findRoutes,
  type Route,
  type RouteTable,
  routesOf,
  subscriptionsOf,
} from "./input-routes";
import { refuse } from "./refuse";
import type { Reserved } from "./reserved";

export interface InputsOptions extends DeliveriesOptions {
  target: Target & { context: FunctionContext };
  bodyLimit: number;
  /** What is answered before any delivery. */
  reserved: Reserved | undefined;
  /** APP_API_TOKEN: when set, the sidecar must send it as `dapr-api-token`. */
  token: string | undefined;
  isStopping: () => boolean;
}

export interface InputsHandler {
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** The stop begins: deliveries that pause are answered. */
  stop(): void;
  /** The grace period is over for this one. */
  giveUp(res: ServerResponse): void;
}

export function createInputsHandler(options: InputsOptions): InputsHandler {
  const { target, bodyLimit, reserved, token, isStopping } = options;
  const routes = routesOf(target.context);
  const subscriptions = JSON.stringify(subscriptionsOf(target.context));
  const { deliver, stop } = createDeliveries(options);

  function receive(
    candidates: readonly Route[],
    req: IncomingMessage,
    res: ServerResponse,
    bytes: Buffer,
  ): void {
    const [first] = candidates as [Route, ...Route[]];
    const binding = first.caller === "announced" ? undefined : bindingOf(candidates);
    if (binding && !isEvent(req)) return receiveBinding(binding, req, res, bytes);
    const delivered = readEnvelope(bytes);
    const { event, data } = delivered;
    const route =
      first.caller === "announced" ? first : chooseTopic(routes, candidates, event, req.headers.pubsubname);
    if (route.caller === "binding") return receiveBinding(route, req, res, bytes);
    const entries = event ? undefined : readBulk(data);
    if (entries) for (const one of bulkDeliveries(target, route, { req, res }, entries)) deliver(one);
    else deliver(new HttpDelivery(target, route, { req, res }, { data, event, rawBody: bytes }));
  }

  // Dapr says application/json of every binding message, so the header is a hint and the bytes decide.
  function receiveBinding(route: Route, req: IncomingMessage, res: ServerResponse, bytes: Buffer): void {
    if (bytes.length === 0) {
      if (isLost(route, req)) return refuseLost(res, route);
      const tick = { data: {}, event: undefined, rawBody: bytes }; // existing functions read properties of it
      return deliver(new HttpDelivery(target, route, { req, res }, tick));
    }
    const value = guessData(bytes, { json: isJson(parseContentType(req.headers["content-type"]).type) });
    const { event, data } = unwrapTraced({ event: undefined, data: value });
    deliver(new HttpDelivery(target, route, { req, res }, { data, event, rawBody: bytes }));
  }

  function handle(req: IncomingMessage, res: ServerResponse): void {
    followPipelined(res);
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
      return replyBytes(res, isBound ? 200 : 404);
    }
    if (method !== "POST" || candidates === undefined) return refuseRoute(res, method ?? "", path, routes);
    readBody(req, bodyLimit, (err, bytes) => {
      if (err) return refuse(res, err);
      try {
        receive(candidates, req, res, bytes);
      } catch (error) {
        failUnread(candidates, res, error);
      }
    });
  }

  // A message that cannot be read (a text too long for a string) must not end the process: it would come again, and again.
  function failUnread([route]: readonly Route[], res: ServerResponse, error: unknown): void {
    logError(error, { function: target.name, input: route?.name });
    replyOutcome(res, { word: "retry", error }, { route: route as Route, production: target.production });
  }

  const giveUp = (res: ServerResponse) => replyUnfinished(res, "The process ends: the grace period is over.");
  return { handle, stop, giveUp };
}

function bindingOf(candidates: readonly Route[]): Route | undefined {
  return candidates.find(({ caller }) => caller === "binding");
}

function isEvent({ headers }: IncomingMessage): boolean {
  return parseContentType(headers["content-type"]).type === "application/cloudevents+json";
}

// daprd 1.18: a retry policy that repeats a binding after a refused connection sends an empty chunked body, and an app
// that says 200 has acknowledged a message it never saw. Of cron empty is all there is.
function isLost({ component }: Route, { headers }: IncomingMessage): boolean {
  const isChunked = headers["transfer-encoding"]?.toLowerCase().includes("chunked") ?? false;
  return isChunked && component.componentType.toLowerCase() !== "bindings.cron";
}

function refuseLost(res: ServerResponse, route: Route): void {
  const error = frameworkError("FF_DELIVERY_BODY_LOST", { binding: route.component.componentName });
  log.warn(`${error.code} ${error.message}`);
  replyOutcome(res, { word: "retry", error }, { route, production: false });
}

function refuseRoute(res: ServerResponse, method: string, path: string, { byPath }: RouteTable): void {
  const known = [...byPath]
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
