/** A CloudEvent as the legacy event that it once was: what an event function gets for it. */
import { frameworkError } from "../core/errors";
import { describe, isRecord } from "../core/value";
import type { CloudEvent, Context } from "../functions/types";
import { withLegacyNames } from "./auth-metadata";
import { byEventType, type Service } from "./legacy-types";
import { messageType } from "./pubsub-push";

/** The two arguments of an event function. */
export interface LegacyArguments {
  data: unknown;
  context: Context;
}

/**
 * The legacy form of a CloudEvent; one of a type that has none keeps its attributes as the context.
 * Error: FF_EVENT_INVALID when the source names no resource.
 */
export function eventToLegacy(event: CloudEvent): LegacyArguments {
  const type = byEventType(event.type);
  if (type === undefined) return withoutData(event);
  const [, service, name] = /^\/\/([^/]+)\/(.+)$/s.exec(event.source) ?? [];
  if (service === undefined || name === undefined) {
    const why = `must look like "//service/name" for an event function, not ${describe(event.source)}`;
    throw frameworkError("FF_EVENT_INVALID", { attribute: "source", why });
  }
  const { id, time, subject } = event;
  const { resource, data } = rules[type.service]({ service, name, subject, data: event.data });
  const context = {
    eventId: id,
    ...(time !== undefined && { timestamp: time }),
    eventType: type.legacy,
    resource,
  };
  return { data, context };
}

/** The event as it is: its data, and all the rest. */
export function withoutData({ data, ...context }: CloudEvent): LegacyArguments {
  return { data, context };
}

interface Parts {
  /** Both of the source. */
  service: string;
  name: string;
  subject: string | undefined;
  data: unknown;
}

type Converted = { resource: string | Record<string, string>; data: unknown };

const rules: Record<Service, (parts: Parts) => Converted> = {
  "pubsub.googleapis.com": ({ service, name, data }) => ({
    resource: { service, name, type: messageType },
    data: isRecord(data) && isRecord(data.message) ? withoutIds(data.message) : data,
  }),
  "storage.googleapis.com": ({ service, name, subject, data }) => ({
    resource: { service, name: join(name, subject), ...kindOf(data) },
    data,
  }),
  "firestore.googleapis.com": ({ name, subject, data }) => ({ resource: join(name, subject), data }),
  "firebase.googleapis.com": ({ name, subject, data }) => ({ resource: join(name, subject), data }),
  "firebaseauth.googleapis.com": ({ name, data }) => ({ resource: name, data: withLegacyNames(data) }),
  "firebasedatabase.googleapis.com": ({ name, subject, data }) => ({
    resource: join(name.replace(/\/locations\/[^/]+/, ""), subject),
    data,
  }),
};

function join(name: string, subject: string | undefined): string {
  return subject === undefined ? name : `${name}/${subject}`;
}

// What the context says already.
function withoutIds({ messageId, publishTime, ...message }: Record<string, unknown>): unknown {
  return message;
}

function kindOf(data: unknown): { type?: string } {
  return isRecord(data) && typeof data.kind === "string" ? { type: data.kind } : {};
}
