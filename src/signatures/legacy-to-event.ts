/** A legacy event as the CloudEvent that took its place: what a cloudevent function gets for it. */
import { describe, isRecord } from "../core/value";
import type { Request } from "../functions/types";
import { withEventNames } from "./auth-metadata";
import { isLegacy, type LegacyFields, readLegacyFields, refusal } from "./legacy-fields";
import type { Service } from "./legacy-types";
import { isPubSubPush, readPubSubPush } from "./pubsub-push";

/**
 * The CloudEvent for a JSON body that is none itself: a legacy event or a raw push of Pub/Sub; undefined for others.
 * Error: FF_EVENT_LEGACY_INVALID.
 */
export function eventFromLegacy(
  body: Record<string, unknown>,
  { path }: Pick<Request, "path">,
): Record<string, unknown> | undefined {
  if (isPubSubPush(body)) return convert({ ...readPubSubPush(body, path) });
  return isLegacy(body) ? convert(body) : undefined;
}

function convert(body: Record<string, unknown>): Record<string, unknown> {
  const fields = readLegacyFields(body);
  const { source, subject, data } = rules[fields.type.service](fields);
  return {
    id: fields.id,
    source: `//${fields.service}/${source}`,
    type: fields.type.event,
    specversion: "1.0",
    ...(subject !== undefined && { subject }),
    ...(fields.time !== undefined && { time: fields.time }),
    datacontenttype: "application/json",
    data,
  };
}

interface Converted {
  /** Without the service. */
  source: string;
  subject?: string;
  data: unknown;
}

const rules: Record<Service, (fields: LegacyFields) => Converted> = {
  "pubsub.googleapis.com": ({ id, time, resource, data }) => {
    if (!isRecord(data)) throw refusal(`"data" of a Pub/Sub event must be an object, not ${describe(data)}`);
    const message = { ...data, messageId: data.messageId ?? id };
    const publishTime = data.publishTime ?? time;
    return {
      source: resource,
      data: { message: { ...message, ...(publishTime !== undefined && { publishTime }) } },
    };
  },
  // The name may end with "#" and the generation of the object, which is no part of its name.
  "storage.googleapis.com": ({ resource, ...fields }) =>
    split({ ...fields, resource: resource.replace(/#\d+$/, "") }, "projects/*/buckets/*", "objects"),
  "firestore.googleapis.com": (fields) => split(fields, "projects/*/databases/*", "documents"),
  "firebase.googleapis.com": (fields) => split(fields, "projects/*", "events"),
  "firebaseauth.googleapis.com": ({ resource, data }) => ({
    source: resource,
    ...subjectOfUser(data),
    data: withEventNames(data),
  }),
  "firebasedatabase.googleapis.com": (fields) => {
    const location = locationOf(fields.domain);
    const { source, ...rest } = split(fields, "projects/*/instances/*", "refs");
    return { source: source.replace("/instances/", `/locations/${location}/instances/`), ...rest };
  },
};

/** Splits a resource into source and subject. `*` is one segment; the subject begins with the segment of its name. */
function split({ resource, type, data }: LegacyFields, source: string, subject: string): Converted {
  const pattern = new RegExp(`^(${source.replaceAll("*", "[^/]+")})/(${subject}/.+)$`, "s");
  const [, before, after] = pattern.exec(resource) ?? [];
  if (before !== undefined && after !== undefined) return { source: before, subject: after, data };
  const form = `${source}/${subject}/*`;
  throw refusal(`the resource of a ${type.legacy} must look like "${form}", not ${describe(resource)}`);
}

function subjectOfUser(data: unknown): { subject?: string } {
  const isUser = isRecord(data) && isRecord(data.metadata) && typeof data.uid === "string" && data.uid !== "";
  return isUser ? { subject: `users/${data.uid}` } : {};
}

const central = "firebaseio.com"; // of the one region that is not named in its domain

function locationOf(domain: unknown): string {
  if (domain === central) return "us-central1";
  const region = typeof domain === "string" && /^([a-z\d-]+)\.firebasedatabase\.app$/.exec(domain)?.[1];
  if (region) return region;
  throw refusal(
    domain === undefined
      ? '"domain", which tells where the database is, is missing'
      : `"domain" must be "${central}" or "REGION.firebasedatabase.app", not ${describe(domain)}`,
  );
}
