/** The words of the Dapr app protocol, for both sides of the wire: our functions, and our local runtime. */
import { eventData } from "../core/cloudevent";
import { guessData, isJson, isText, parseContentType } from "../core/content";
import type { BulkSubscribe } from "../core/function-context";
import { innerEventType } from "../core/inner-event";
import { isRecord } from "../core/value";

/** What the app answers to a topic delivery. */
export type TopicStatus = "SUCCESS" | "RETRY" | "DROP";

/** One entry of `GET /dapr/subscribe`. */
export interface Subscription {
  pubsubname: string;
  topic: string;
  /** Or `routes`. */
  route?: string;
  routes?: { rules: { match: string; path: string }[]; default?: string };
  metadata?: Record<string, string>;
  deadLetterTopic?: string;
  bulkSubscribe?: BulkSubscribe;
}

/**
 * The path on which a topic is delivered: every byte of a name outside A-Z a-z 0-9 - becomes `_` and two hex digits,
 * so that no two topics share a path. An input that takes a part of the topic has one below it.
 */
export function announcedRoute(pubsub: string, topic: string, input?: string): string {
  const path = `/dapr/events/${escapeName(pubsub)}/${escapeName(topic)}`;
  return input === undefined ? path : `${path}/${escapeName(input)}`;
}

function escapeName(name: string): string {
  const escaped = Array.from(Buffer.from(name, "utf8"), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9-]/.test(character) ? character : `_${byte.toString(16).padStart(2, "0")}`;
  });
  return escaped.join("");
}

/** A delivered message: the envelope when it is a CloudEvent, and the data for the function. */
export interface DeliveredEvent {
  event: Record<string, unknown> | undefined;
  data: unknown;
}

/** Reads the body of a topic delivery. Without `specversion` the whole body is the data: JSON, else text, else bytes. */
export function readEnvelope(bytes: Buffer): DeliveredEvent {
  return unwrapEvent(guessData(bytes, { json: true }));
}

/** The same of a body that is parsed. */
export function unwrapEvent(value: unknown): DeliveredEvent {
  if (!isEnvelope(value)) return { event: undefined, data: value };
  return unwrapTraced({ event: value, data: dataOf(value) });
}

/**
 * With tracing on, functions in Go wrap what they send in an event of theirs, whose data is `{metadata, userData}` with
 * the payload in base64: the function gets the payload. The wrapper is the event where it came in no other.
 */
export function unwrapTraced(delivered: DeliveredEvent): DeliveredEvent {
  const { event, data } = delivered;
  const isOuter = event !== undefined && isTraced(event);
  if (!isOuter && !isTraced(data)) return delivered;
  const inner = isOuter ? data : dataOf(data as Record<string, unknown>);
  const value = typeof inner === "string" ? guessData(Buffer.from(inner), { json: true }) : inner;
  if (!isRecord(value) || typeof value.userData !== "string") return delivered;
  return {
    event: event ?? (data as Record<string, unknown>),
    data: guessData(Buffer.from(value.userData, "base64"), { json: true }),
  };
}

function isTraced(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { type } = value as { type?: unknown };
  return typeof type === "string" && type.startsWith(innerEventType) && isEnvelope(value);
}

/** One message of a bulk. */
export interface BulkEntry extends DeliveredEvent {
  entryId: string;
  /** Of a raw message; an event is written by `bytesOfEvent`. */
  rawBody: Buffer | undefined;
  /** Names in lower case. */
  metadata: Record<string, string>;
}

/** The messages of a bulk (`com.dapr.event.sent.bulk`); undefined for any other value. One without entryId has no answer. */
export function readBulk(value: unknown): BulkEntry[] | undefined {
  if (!isRecord(value) || value.type !== bulkType || !Array.isArray(value.entries)) return undefined;
  const shared = inLowerCase(value.metadata);
  return value.entries.flatMap((entry) => {
    if (!isRecord(entry) || typeof entry.entryId !== "string" || entry.entryId === "") return [];
    const { entryId, event, contentType, metadata } = entry;
    return [{ entryId, ...readEntry(event, contentType), metadata: { ...shared, ...inLowerCase(metadata) } }];
  });
}

export const bulkType = "com.dapr.event.sent.bulk";

// Dapr: an event is an object, or base64 text of what is no CloudEvent.
function readEntry(event: unknown, contentType: unknown): DeliveredEvent & { rawBody: Buffer | undefined } {
  if (typeof event !== "string") return { ...unwrapEvent(event), rawBody: undefined };
  return readRawEntry(
    Buffer.from(event, "base64"),
    typeof contentType === "string" ? contentType : undefined,
  );
}

/** The event as JSON, where it did not come as bytes of its own. Throws for one that is nested too deep. */
export function bytesOfEvent({ event, data }: DeliveredEvent): Buffer {
  return Buffer.from(JSON.stringify(event ?? data ?? null));
}

/** A message of a bulk that came as bytes. */
export function readRawEntry(
  rawBody: Buffer,
  contentType: string | undefined,
): DeliveredEvent & { rawBody: Buffer } {
  const { type } = parseContentType(contentType);
  if (type === "application/cloudevents+json") return { ...readEnvelope(rawBody), rawBody };
  const data = isJson(type) || isText(type) ? guessData(rawBody, { json: isJson(type) }) : rawBody;
  return { event: undefined, data, rawBody };
}

/** Metadata with its names in lower case, as headers have them. */
export function inLowerCase(metadata: unknown): Record<string, string> {
  if (!isRecord(metadata)) return {};
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}

/** The envelope alone, for those who look at its attributes. */
export function readEvent(bytes: Buffer): Record<string, unknown> | undefined {
  const value = guessData(bytes, { json: true });
  return isEnvelope(value) ? value : undefined;
}

function isEnvelope(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Buffer.isBuffer(value) && "specversion" in value;
}

// Data that is not what its content type says is still a message: the function gets the bytes.
function dataOf(event: Record<string, unknown>): unknown {
  try {
    return eventData(event);
  } catch {
    return Buffer.from(String(event.data_base64), "base64");
  }
}
