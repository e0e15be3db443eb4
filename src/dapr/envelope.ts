/** The CloudEvent that a sidecar makes of what is published, and of raw messages it receives (Dapr's rules). */
import { randomBytes, randomUUID } from "node:crypto";

import { isJson, parseContentType, toText } from "../core/content";
import { metadataValue } from "./metadata";

export interface PublishedMessage {
  pubsub: string;
  topic: string;
  appId: string;
  contentType: string | undefined;
  body: Buffer;
  /** Query metadata of the request, names as given. */
  metadata: Record<string, string>;
  traceparent: string | undefined;
  tracestate: string | undefined;
}

/** The published content type says CloudEvent, but the body is none. */
export class BrokenEventError extends Error {}

/** The envelope to hand to the broker. Error: BrokenEventError. */
export function wrapMessage(message: PublishedMessage): Record<string, unknown> {
  const { type = "text/plain" } = parseContentType(message.contentType);
  const event = type === "application/cloudevents+json" ? ownEvent(message) : newEvent(message, type);
  applyOverrides(event, message.metadata);
  const ttl = Number(
    metadataValue(message.metadata, "ttlInSeconds") ?? metadataValue(message.metadata, "ttl"),
  );
  if (ttl > 0 && ttl < longestTtl) event.expiration = new Date(Date.now() + ttl * 1000).toISOString();
  return event;
}

const longestTtl = 1e11; // s, what a date can hold

/** The envelope of a raw subscription (`rawPayload: "true"`): the bytes as they are. */
export function wrapRaw(pubsub: string, topic: string, body: Buffer): Record<string, unknown> {
  return {
    id: randomUUID(),
    specversion: "1.0",
    type: "com.dapr.event.sent",
    source: "Dapr",
    datacontenttype: "application/octet-stream",
    topic,
    pubsubname: pubsub,
    data_base64: body.toString("base64"),
  };
}

/** True when the sender gave the event a time to live and it is over: it is dropped, not delivered. */
export function isExpired(event: Record<string, unknown>, now = Date.now()): boolean {
  const end = typeof event.expiration === "string" ? Date.parse(event.expiration) : Number.NaN;
  return end < now;
}

function newEvent(message: PublishedMessage, type: string): Record<string, unknown> {
  const { pubsub, topic, appId, contentType = "text/plain", body } = message;
  return {
    id: randomUUID(),
    specversion: "1.0",
    type: "com.dapr.event.sent",
    source: appId,
    datacontenttype: contentType,
    topic,
    pubsubname: pubsub,
    time: new Date().toISOString(),
    ...traceFields(message),
    ...dataFields(body, type),
  };
}

function dataFields(body: Buffer, type: string): Record<string, unknown> {
  if (type === "application/octet-stream") return { data_base64: body.toString("base64") };
  const text = textOf(body);
  return { data: isJson(type) ? parseOrText(text) : text };
}

function textOf(body: Buffer): string {
  const text = toText(body);
  if (text === undefined) throw new BrokenEventError(`${body.length} bytes are more than a text can hold`);
  return text;
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // Dapr: JSON that cannot be parsed is published as text
  }
}

function ownEvent(message: PublishedMessage): Record<string, unknown> {
  const { pubsub, topic, body } = message;
  let given: unknown;
  try {
    given = JSON.parse(textOf(body));
  } catch (err) {
    throw new BrokenEventError(err instanceof Error ? err.message : String(err));
  }
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new BrokenEventError("the event is no JSON object");
  return {
    id: randomUUID(),
    specversion: "1.0",
    type: "com.dapr.event.sent",
    source: "Dapr",
    time: new Date().toISOString(),
    ...traceFields(message),
    ...given,
    topic,
    pubsubname: pubsub,
  };
}

// The publisher's trace goes on; without one a new trace begins here.
function traceFields({ traceparent, tracestate = "" }: PublishedMessage): Record<string, string> {
  const parent = traceparent ?? `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-00`;
  return { traceid: parent, traceparent: parent, tracestate };
}

const overridable = ["id", "source", "type", "subject", "traceid", "tracestate", "traceparent"];

function applyOverrides(event: Record<string, unknown>, metadata: Record<string, string>): void {
  for (const attribute of overridable) {
    const value = metadataValue(metadata, `cloudevent.${attribute}`);
    if (value !== undefined) event[attribute] = value;
  }
}
