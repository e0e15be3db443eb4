/** The Dapr app protocol over gRPC (`APP_PROTOCOL=grpc`): what a sidecar asks and delivers, daprd and dapr-proxy alike. */
import type { Server } from "node:http";

import { guessData } from "../core/content";
import { frameworkError } from "../core/errors";
import { log } from "../core/log";
import { isToken } from "../core/origin";
import { isDataLost, readBulkEntries, readEventFields } from "../dapr/callback-events";
import { writeBindings, writeBulkStatuses, writeSubscriptions } from "../dapr/callback-replies";
import {
  type BindingEvent,
  readBindingEvent,
  readBulkTopicEvent,
  readTopicEvent,
  type TopicEvent,
} from "../dapr/callback-requests";
import { inLowerCase, unwrapTraced } from "../dapr/protocol";
import { createDeliveries } from "./delivery";
import type { GrpcCall } from "./grpc/call";
import { bulkDeliveries, GrpcDelivery } from "./grpc/delivery";
import { createGrpcServer, type GrpcMethod } from "./grpc/server";
import { code } from "./grpc/status";
import { bindingsOf, isMetadata, type Route, routesOf, subscriptionsOf, topicKey } from "./input-routes";
import type { InputsOptions } from "./inputs-http";
import { switchProtocols } from "./switch-protocols";

export interface GrpcInputs {
  /** The stop begins: deliveries that pause are answered, the connections end as soon as they are quiet. */
  stop(): void;
  /** The grace period is over. */
  cut(): void;
}

/** Serves gRPC on the connections of a server that begin with HTTP/2; all others stay the server's own. */
export function serveGrpcInputs(server: Server, options: InputsOptions): GrpcInputs {
  const { deliver, stop } = createDeliveries(options);
  const grpc = createGrpcServer({ methods: createMethods(options, deliver), bodyLimit: options.bodyLimit });
  switchProtocols(server, grpc.accept);
  return {
    stop() {
      stop();
      grpc.stop();
    },
    cut: () => grpc.cut("The process ends: the grace period is over."),
  };
}

type Deliver = ReturnType<typeof createDeliveries>["deliver"];

const appCallback = "/dapr.proto.runtime.v1.AppCallback";

function createMethods(options: InputsOptions, deliver: Deliver): Map<string, GrpcMethod> {
  const { target, token, isStopping } = options;
  const { context } = target;
  const routes = routesOf(context);
  const subscriptions = writeSubscriptions(subscriptionsOf(context));
  const bindings = writeBindings(bindingsOf(context));

  // daprd sends the token with events alone. Refused, a list would leave the function without inputs.
  const anyone = () => undefined;
  const admit = ({ headers }: GrpcCall) => {
    if (token !== undefined && !isToken(headers["dapr-api-token"], token))
      throw frameworkError("FF_TOKEN_REFUSED", {});
  };

  const onTopicEvent = (call: GrpcCall, message: Buffer) => {
    const sent = readTopicEvent(message);
    const route = findTopic(sent);
    if (isDataLost(sent)) warnOfLostData(sent);
    const delivered = readEventFields(sent, sent);
    const metadata = { pubsubname: sent.pubsub };
    deliver(new GrpcDelivery(target, route, call, { ...delivered, rawBody: undefined, metadata }));
  };
  const onBulkTopicEvent = (call: GrpcCall, message: Buffer) => {
    const bulk = readBulkTopicEvent(message);
    const route = findTopic(bulk);
    const entries = readBulkEntries(bulk);
    const done = (statuses: Parameters<typeof writeBulkStatuses>[0]) =>
      call.answer(writeBulkStatuses(statuses));
    for (const one of bulkDeliveries(target, route, call, entries, done)) deliver(one);
  };
  const onBindingEvent = (call: GrpcCall, message: Buffer) => {
    const { name, data: rawBody, metadata } = readBindingEvent(message);
    const route = findBinding(name);
    const delivered =
      rawBody.length === 0
        ? { data: {}, event: undefined } // existing functions read properties of it
        : unwrapTraced({ event: undefined, data: guessData(rawBody, { json: true }) });
    deliver(new GrpcDelivery(target, route, call, { ...delivered, rawBody, metadata: plain(metadata) }));
  };

  /** By the announced path; else by pub/sub and topic, which dapr-proxy and subscriptions in YAML go by. */
  function findTopic({ path, pubsub, topic }: Pick<TopicEvent, "path" | "pubsub" | "topic">): Route {
    const candidates = routes.byPath.get(path.startsWith("/") ? path : `/${path}`) ?? [];
    const announced = candidates.find(({ caller }) => caller === "announced");
    if (announced) return announced;
    const bare = candidates.find(({ caller }) => caller === "topic");
    const own = routes.byTopic.get(topicKey(pubsub, topic)) ?? bare;
    if (own === undefined) throw noRoute("OnTopicEvent", path || `${pubsub}/${topic}`);
    return bare ? own : { ...own, caller: "announced" };
  }

  function findBinding(name: string): Route {
    const candidates = routes.byPath.get(`/${name}`);
    const route = candidates?.find(
      ({ caller, component }) => caller === "binding" && component.componentName === name,
    );
    if (route === undefined) throw noRoute("OnBindingEvent", name);
    return route;
  }

  function noRoute(method: string, path: string): Error {
    const topics = [...routes.byTopic.values()].map(({ trigger }) => trigger);
    return frameworkError("FF_ROUTE_NOT_FOUND", { method, path, known: [...bindingsOf(context), ...topics] });
  }

  const health = (call: GrpcCall) =>
    isStopping() ? call.fail(code.unavailable, "stopping") : call.answer(Buffer.alloc(0));
  return new Map<string, GrpcMethod>([
    [
      `${appCallback}/ListTopicSubscriptions`,
      { admit: anyone, handle: (call) => call.answer(subscriptions) },
    ],
    [`${appCallback}/ListInputBindings`, { admit: anyone, handle: (call) => call.answer(bindings) }],
    [`${appCallback}/OnTopicEvent`, { admit, handle: onTopicEvent }],
    [`${appCallback}/OnBulkTopicEvent`, { admit, handle: onBulkTopicEvent }],
    [`${appCallback}Alpha/OnBulkTopicEventAlpha1`, { admit, handle: onBulkTopicEvent }],
    [`${appCallback}/OnBindingEvent`, { admit, handle: onBindingEvent }],
    [`${appCallback}HealthCheck/HealthCheck`, { admit: anyone, handle: health }],
  ]);
}

/** The metadata of a binding as its headers would be over HTTP. */
function plain(metadata: BindingEvent["metadata"]): Record<string, string> {
  return Object.fromEntries(Object.entries(inLowerCase(metadata)).filter(([name]) => isMetadata(name)));
}

const warned = new Set<string>();

// Once a type, and for few types: senders choose them.
function warnOfLostData({ dataContentType, pubsub, topic }: TopicEvent): void {
  if (warned.has(dataContentType) || warned.size >= 100) return;
  warned.add(dataContentType);
  log.warn(
    `An event of ${pubsub}/${topic} came without data. Over gRPC the sidecar leaves out a text whose type is "${dataContentType}"; over HTTP, or as text/plain or JSON, it arrives.`,
  );
}
