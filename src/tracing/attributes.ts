/** What spans say of a call and of a message: OpenTelemetry's conventions for FaaS, HTTP and messaging. */
import type { OpenFunctionComponent } from "../core/function-context";
import type { Invocation } from "../core/invocation";
import type { SpanOrigin } from "../core/tracing";
import { pathOf } from "../core/url";
import { isRecord } from "../core/value";

export type Attributes = Record<string, string | number | boolean>;

let isCold = true;

/** Of a span of an invocation, at its beginning. */
export function invocationAttributes(invocation: Invocation, origin: SpanOrigin): Attributes {
  const attributes: Attributes = {
    "faas.invocation_id": invocation.id,
    "faas.trigger": triggerOf(invocation, origin),
    "faas.coldstart": isCold,
    "openfunction.signature": invocation.signature,
    ...(invocation.trigger === "http" ? requestAttributes(invocation) : inputAttributes(origin)),
  };
  isCold = false;
  return attributes;
}

/** Of messages rather than requests. */
export function isMessage(invocation: Invocation): boolean {
  return invocation.trigger !== "http";
}

// FaaS §trigger: datasource, http, pubsub, timer, other.
function triggerOf({ trigger }: Invocation, { input }: SpanOrigin): string {
  if (trigger === "http") return "http";
  if (trigger.startsWith("topic:")) return "pubsub";
  return input?.componentType.toLowerCase() === "bindings.cron" ? "timer" : "other";
}

// HTTP server spans. The query is left out: it may hold what nobody should read.
function requestAttributes(invocation: Invocation): Attributes {
  const { req } = invocation.response;
  const host = invocation.header("host");
  const agent = invocation.header("user-agent");
  return {
    "http.request.method": req.method ?? "",
    "url.path": pathOf(req.url ?? "/"),
    "url.scheme": "http",
    "network.protocol.version": req.httpVersion ?? "",
    ...(host !== undefined && { "server.address": host.replace(/:\d+$/, "") }),
    ...(agent !== undefined && { "user_agent.original": agent }),
  };
}

function inputAttributes({ input, event, rawBody, attempt }: SpanOrigin): Attributes {
  if (input === undefined) return {};
  const id = isRecord(event) && typeof event.id === "string" ? event.id : undefined;
  return {
    "messaging.system": systemOf(input.componentType),
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": input.topic ?? input.componentName,
    "dapr.component": input.componentName,
    "openfunction.input": input.name,
    ...(id !== undefined && { "messaging.message.id": id }),
    ...(rawBody && { "messaging.message.body.size": rawBody.length }),
    ...(attempt !== undefined && { "openfunction.attempt": attempt }),
  };
}

/** Of a message to an output. */
export function outputAttributes(output: string, component: OpenFunctionComponent): Attributes {
  const { componentName, componentType, uri, operation } = component;
  const isTopic = isTopicOf(component);
  return {
    "messaging.system": systemOf(componentType),
    "messaging.operation.name": isTopic ? "publish" : (operation ?? "create"),
    "messaging.operation.type": "send",
    "messaging.destination.name": isTopic ? (uri ?? "") : componentName,
    "dapr.component": componentName,
    "openfunction.output": output,
  };
}

export function isTopicOf({ componentType }: OpenFunctionComponent): boolean {
  return componentType.startsWith("pubsub.");
}

const systems: Record<string, string> = {
  mqtt3: "mqtt",
  "aws.sqs": "aws_sqs",
  "aws.snssqs": "aws_sqs",
  "gcp.pubsub": "gcp_pubsub",
  "azure.eventgrid": "eventgrid",
  "azure.eventhubs": "eventhubs",
  "azure.servicebusqueues": "servicebus",
  "azure.servicebus.queues": "servicebus",
  "azure.servicebus.topics": "servicebus",
};

// Well-known values of messaging.system, else Dapr's name of the kind.
function systemOf(componentType: string): string {
  const kind = componentType.slice(componentType.indexOf(".") + 1);
  return systems[kind] ?? kind;
}
