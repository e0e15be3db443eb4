/** The words of the Dapr app protocol, for both sides of the wire: our functions, and our local runtime. */
import { eventData } from "../core/cloudevent";
import { guessData } from "../core/content";

/** What the app answers to a topic delivery. */
export type TopicStatus = "SUCCESS" | "RETRY" | "DROP";

/** One entry of `GET /dapr/subscribe`. */
export interface Subscription {
  pubsubname: string;
  topic: string;
  route: string;
  metadata?: Record<string, string>;
}

/**
 * The path on which a topic is delivered: every byte of a name outside A-Z a-z 0-9 - becomes `_` and two hex digits,
 * so that no two topics share a path.
 */
export function announcedRoute(pubsub: string, topic: string): string {
  return `/dapr/events/${escapeName(pubsub)}/${escapeName(topic)}`;
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
  const value = guessData(bytes, { json: true });
  return isEnvelope(value) ? { event: value, data: dataOf(value) } : { event: undefined, data: value };
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
