/** CloudEvents 1.0: what makes an event valid, and the data inside one. */
import { decodeData, isJson, isText, parseContentType } from "./content";

export interface InvalidAttribute {
  attribute: string;
  why: string;
}

const required = ["id", "source", "type", "specversion"] as const;
const timestamp = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/; // RFC 3339

/** The first attribute that breaks the specification, or undefined for a valid event. */
export function invalidAttribute(event: Record<string, unknown>): InvalidAttribute | undefined {
  for (const attribute of required) {
    const value = event[attribute];
    if (value === undefined || value === "") return { attribute, why: "is missing" };
    if (typeof value !== "string")
      return { attribute, why: `must be a text, not ${value === null ? "null" : typeof value}` };
  }
  if (event.specversion !== "1.0")
    return { attribute: "specversion", why: `must be "1.0", not "${event.specversion}"` };
  for (const attribute of ["subject", "datacontenttype", "dataschema"]) {
    const value = event[attribute];
    if (value !== undefined && value !== null && (typeof value !== "string" || value === "")) {
      return { attribute, why: "must be a text that is not empty" };
    }
  }
  const { time } = event;
  if (time !== undefined && time !== null && !isTimestamp(time))
    return { attribute: "time", why: "must be an RFC 3339 timestamp" };
  return undefined;
}

/** True for an RFC 3339 timestamp that exists. */
export function isTimestamp(value: unknown): value is string {
  return typeof value === "string" && timestamp.test(value) && !Number.isNaN(Date.parse(value));
}

/** True for an object that carries a valid set of required attributes, an instance of the SDK's class included. */
export function isCloudEvent(
  value: unknown,
): value is Record<string, unknown> & { id: string; source: string; type: string } {
  return (
    typeof value === "object" &&
    value !== null &&
    invalidAttribute(value as Record<string, unknown>) === undefined
  );
}

/**
 * The data of an event in JSON form. `data_base64` wins over `data` and is decoded further only for JSON and text
 * types. Presence decides, not truth: `0`, `""`, `false` and `null` are data. Neither: undefined.
 */
export function eventData(event: Record<string, unknown>): unknown {
  if (typeof event.data_base64 !== "string") return event.data;
  const bytes = Buffer.from(event.data_base64, "base64");
  const contentType = parseContentType(
    typeof event.datacontenttype === "string" ? event.datacontenttype : undefined,
  );
  return isJson(contentType.type) || isText(contentType.type) ? decodeData(bytes, contentType) : bytes;
}
