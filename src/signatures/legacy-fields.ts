/** The fields of a legacy event, read from JSON that may hold anything. */
import { isTimestamp } from "../core/cloudevent";
import { frameworkError } from "../core/errors";
import { describe, isRecord } from "../core/value";
import { byLegacyType, type EventType } from "./legacy-types";

/** A legacy event whose type is known. */
export interface LegacyFields {
  id: string;
  /** RFC 3339. */
  time: string | undefined;
  type: EventType;
  service: string;
  /** Name of the resource. */
  resource: string;
  data: unknown;
  /** Beside the data of a Realtime Database event: where the database is. */
  domain: unknown;
}

/** True for JSON that is meant as a legacy event: its fields stand in `context`, or beside `data`. */
export function isLegacy(body: Record<string, unknown>): boolean {
  return (
    !Object.hasOwn(body, "specversion") &&
    (Object.hasOwn(body, "eventType") || Object.hasOwn(body, "context"))
  );
}

/** Where the fields stand. Error: FF_EVENT_LEGACY_INVALID. */
export function contextOf(body: Record<string, unknown>): Record<string, unknown> {
  const context = Object.hasOwn(body, "context") ? body.context : body;
  if (isRecord(context)) return context;
  throw refusal(`"context" must be an object, not ${describe(context)}`);
}

/** Errors: FF_EVENT_LEGACY_INVALID naming the field, or the type that is not known. */
export function readLegacyFields(body: Record<string, unknown>): LegacyFields {
  const context = contextOf(body);
  if (!Object.hasOwn(body, "data")) throw refusal('"data" is missing');
  const eventType = textOf(context, "eventType");
  const type = byLegacyType(eventType);
  if (type === undefined) throw refusal(`no CloudEvent is known for the eventType ${describe(eventType)}`);
  const id = textOf(context, "eventId");
  const time = context.timestamp ?? undefined;
  if (time !== undefined && !isTimestamp(time))
    throw refusal(`"timestamp" must be an RFC 3339 timestamp, not ${describe(time)}`);
  return { id, time, type, ...resourceOf(context, type), data: body.data, domain: body.domain };
}

/** The error of a legacy event that cannot be taken. */
export function refusal(why: string): Error {
  return frameworkError("FF_EVENT_LEGACY_INVALID", { why });
}

function resourceOf({ resource }: Record<string, unknown>, type: EventType) {
  if (!isRecord(resource)) return { service: type.service, resource: textOf({ resource }, "resource") };
  const { name } = resource;
  const service =
    resource.service === undefined ? type.service : textOf(resource, "service", "resource.service");
  // The push of a subscription whose path does not tell the topic: the source ends with "/".
  if (name === null && type.service === "pubsub.googleapis.com") return { service, resource: "" };
  return { service, resource: textOf(resource, "name", "resource.name") };
}

function textOf(owner: Record<string, unknown>, field: string, name = field): string {
  const value = owner[field];
  if (typeof value === "string" && value !== "") return value;
  throw refusal(
    value === undefined || value === ""
      ? `"${name}" is missing`
      : `"${name}" must be a text, not ${describe(value)}`,
  );
}
