/** Reads a CloudEvent from an HTTP request: structured or binary content mode (CloudEvents HTTP binding §3). */
import { eventData, invalidAttribute } from "../core/cloudevent";
import { decodeData, decodeJsonText, parseContentType, parseJson } from "../core/content";
import { frameworkError } from "../core/errors";
import { decodePercent } from "../core/url";
import { isRecord } from "../core/value";
import type { CloudEvent, Request } from "../functions/types";

export const structuredType = "application/cloudevents+json";
export const batchType = "application/cloudevents-batch+json";
const requiredHeaders = ["ce-id", "ce-source", "ce-type", "ce-specversion"];

/** Makes an event of a JSON object that is no CloudEvent, or returns undefined. */
export type ReadOther = (body: Record<string, unknown>, req: Request) => Record<string, unknown> | undefined;

/** The event of a request. Errors: FF_EVENT_INVALID naming the attribute, FF_BODY_MALFORMED, FF_BODY_UNSUPPORTED. */
export function readCloudEvent(req: Request, readOther?: ReadOther): CloudEvent {
  const event = isBinaryMode(req) ? readBinary(req) : readStructured(req, readOther);
  const traceparent = req.headers.traceparent;
  if (typeof traceparent === "string") event.traceparent = traceparent;
  return event as unknown as CloudEvent;
}

/** True when the request carries an event in either mode. */
export function isEventRequest(req: Request): boolean {
  return isBinaryMode(req) || parseContentType(req.headers["content-type"]).type === structuredType;
}

/** True when the attributes are in the headers, or are meant to be. */
// One required header is enough to know what is meant, so that a missing one can be named.
// With a CloudEvents content type the structured mode wins (HTTP binding §3).
export function isBinaryMode(req: Request): boolean {
  const { type } = parseContentType(req.headers["content-type"]);
  return (
    type !== structuredType &&
    type !== batchType &&
    requiredHeaders.some((name) => req.headers[name] !== undefined)
  );
}

/**
 * The JSON of a body whose type may carry one event, undefined for others and for an empty one. Plain JSON is such a
 * type, as the original frameworks have it. Errors: FF_BODY_MALFORMED, FF_BODY_UNSUPPORTED, also for a batch.
 */
export function readJson(req: Request): unknown {
  const { type, charset } = parseContentType(req.headers["content-type"]);
  if (type === batchType)
    throw frameworkError("FF_BODY_UNSUPPORTED", { what: "content type", value: batchType });
  if ((type !== structuredType && type !== "application/json") || !req.rawBody?.length) return undefined;
  return parseJson(decodeJsonText(req.rawBody, charset));
}

/** The event of a JSON object, its data decoded. Errors: FF_EVENT_INVALID, FF_BODY_MALFORMED, FF_BODY_UNSUPPORTED. */
export function eventFromJson(event: Record<string, unknown>): Record<string, unknown> {
  assertValid(event);
  if (typeof event.data_base64 !== "string") return event;
  const { data_base64, ...rest } = event;
  return { ...rest, data: eventData(event) };
}

function readBinary(req: Request): Record<string, unknown> {
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(req.headers)) {
    if (name.startsWith("ce-") && name.length > 3) event[name.slice(3)] = decodePercent(String(value)); // HTTP binding §3.1.3.2
  }
  assertValid(event);
  const contentType = req.headers["content-type"];
  if (contentType !== undefined && event.datacontenttype === undefined) event.datacontenttype = contentType;
  const bytes = req.rawBody;
  event.data =
    bytes === undefined || bytes.length === 0 ? undefined : decodeData(bytes, parseContentType(contentType));
  return event;
}

function readStructured(req: Request, readOther?: ReadOther): Record<string, unknown> {
  const value = readJson(req);
  if (!isRecord(value)) {
    throw frameworkError("FF_EVENT_INVALID", {
      attribute: "id",
      why: "is missing: the request carries no event",
    });
  }
  const other = readOther && invalidAttribute(value) ? readOther(value, req) : undefined;
  return other ?? eventFromJson(value);
}

function assertValid(event: Record<string, unknown>): void {
  const invalid = invalidAttribute(event);
  if (invalid) throw frameworkError("FF_EVENT_INVALID", { ...invalid });
}
