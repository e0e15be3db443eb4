/** Reads a batch of CloudEvents (HTTP binding §3.3): whole, so that a bad entry stops it before the first call. */
import { decodeJsonText, parseContentType, parseJson } from "../core/content";
import { frameworkError, messageOf } from "../core/errors";
import { isRecord } from "../core/value";
import type { CloudEvent, Request } from "../functions/types";
import { batchType, eventFromJson } from "./event-request";

/** True when the content type says batch. */
export function isBatch(req: Request): boolean {
  return parseContentType(req.headers["content-type"]).type === batchType;
}

/**
 * The events in their order. The header `traceparent` is put on those that bring none of their own.
 * Errors: FF_EVENT_BATCH_INVALID naming the index, FF_BODY_MALFORMED, FF_BODY_UNSUPPORTED.
 */
export function readBatch(req: Request): CloudEvent[] {
  const { charset } = parseContentType(req.headers["content-type"]);
  const bytes = req.rawBody ?? Buffer.alloc(0);
  const entries = bytes.length > 0 ? parseJson(decodeJsonText(bytes, charset)) : undefined;
  if (!Array.isArray(entries))
    throw frameworkError("FF_EVENT_BATCH_INVALID", { why: "the body must be a JSON array." });
  const { traceparent } = req.headers;
  return entries.map((entry: unknown, index) => {
    const event = readEntry(entry, index);
    if (typeof traceparent === "string") event.traceparent ??= traceparent;
    return event as unknown as CloudEvent;
  });
}

function readEntry(entry: unknown, index: number): Record<string, unknown> {
  if (!isRecord(entry)) throw frameworkError("FF_EVENT_BATCH_INVALID", { index, why: "It is no object." });
  try {
    return eventFromJson(entry);
  } catch (err) {
    throw frameworkError("FF_EVENT_BATCH_INVALID", { index, why: messageOf(err) }, { cause: err });
  }
}
