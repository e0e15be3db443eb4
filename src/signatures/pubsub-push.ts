/** What a push subscription of Pub/Sub posts, without any event around it. */
import { isTimestamp } from "../core/cloudevent";
import { frameworkError } from "../core/errors";
import { log } from "../core/log";
import { decodePercent } from "../core/url";
import { describe, isRecord } from "../core/value";
import type { LegacyEvent } from "../functions/types";

export const messageType = "type.googleapis.com/google.pubsub.v1.PubsubMessage";

/** True for a push body: a subscription, and a message with an id and data or attributes. */
export function isPubSubPush({ subscription, message, ...rest }: Record<string, unknown>): boolean {
  return (
    typeof subscription === "string" &&
    isRecord(message) &&
    typeof message.messageId === "string" &&
    (typeof message.data === "string" || isRecord(message.attributes)) &&
    !Object.hasOwn(rest, "context") &&
    !Object.hasOwn(rest, "specversion")
  );
}

/** The legacy event of a push. The topic is told by the path of the URL alone. Error: FF_EVENT_LEGACY_INVALID. */
export function readPubSubPush(body: Record<string, unknown>, path: string): LegacyEvent {
  const { messageId, publishTime, data, attributes } = body.message as Record<string, unknown>;
  const timestamp = publishTime ?? new Date().toISOString();
  if (!isTimestamp(timestamp)) {
    const why = `"message.publishTime" must be an RFC 3339 timestamp, not ${describe(timestamp)}`;
    throw frameworkError("FF_EVENT_LEGACY_INVALID", { why });
  }
  return {
    data: {
      "@type": messageType,
      ...(data !== undefined && { data }),
      attributes: attributes ?? {},
    },
    context: {
      eventId: messageId as string,
      timestamp,
      eventType: "google.pubsub.topic.publish",
      resource: { service: "pubsub.googleapis.com", name: topicOf(path), type: messageType },
    },
  };
}

let isWarned = false;

function topicOf(path: string): string | null {
  const topic = /(?:^|\/)(projects\/[^/]+\/topics\/[^/]+)/.exec(decodePercent(path))?.[1];
  if (topic !== undefined) return topic;
  // Once a process: a subscription pushes a thousand messages a second.
  if (!isWarned) {
    isWarned = true;
    log.warn(
      "A Pub/Sub push does not tell its topic. Let the subscription push to a path that ends with projects/PROJECT/topics/TOPIC.",
    );
  }
  return null;
}
