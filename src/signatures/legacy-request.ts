/** Reads what an event function is given from an HTTP request: a legacy event, a CloudEvent, a push of Pub/Sub. */
import { parseContentType } from "../core/content";
import { describe, isRecord } from "../core/value";
import type { CloudEvent, Request } from "../functions/types";
import { eventFromJson, isBinaryMode, readCloudEvent, readJson, structuredType } from "./event-request";
import { eventToLegacy, type LegacyArguments, withoutData } from "./event-to-legacy";
import { contextOf, isLegacy, refusal } from "./legacy-fields";
import { isPubSubPush, readPubSubPush } from "./pubsub-push";

/**
 * Errors: FF_EVENT_LEGACY_INVALID, FF_EVENT_INVALID for a CloudEvent, FF_BODY_MALFORMED, FF_BODY_UNSUPPORTED, also
 * for a batch.
 */
export function readLegacyEvent(req: Request): LegacyArguments {
  if (isBinaryMode(req)) return eventToLegacy(readCloudEvent(req));
  const body = readJson(req);
  if (!isRecord(body)) throw refusal(whatIsWrong(req, body));
  if (isPubSubPush(body)) return readPubSubPush(body, req.path);
  // Only binary events are converted: so it was, and functions rely on it.
  if (isCloudEventJson(body, req)) return withoutData(eventFromJson(body) as unknown as CloudEvent);
  const context = contextOf(body);
  if (context !== body) return { data: body.data, context };
  const { data, ...rest } = body;
  return { data, context: rest };
}

function isCloudEventJson(body: Record<string, unknown>, req: Request): boolean {
  const { type } = parseContentType(req.headers["content-type"]);
  return Object.hasOwn(body, "specversion") || (type === structuredType && !isLegacy(body));
}

function whatIsWrong({ rawBody, headers }: Request, body: unknown): string {
  if (body !== undefined) return `the body must be a JSON object, not ${describe(body)}`;
  if (!rawBody?.length) return "the body is empty";
  const type = headers["content-type"];
  return type === undefined ? "the body has no content type" : `the body must be JSON, not ${describe(type)}`;
}
