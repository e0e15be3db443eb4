/** The types of Google's legacy events, and of the CloudEvents that took their place. */

export type Service =
  | "pubsub.googleapis.com"
  | "storage.googleapis.com"
  | "firestore.googleapis.com"
  | "firebaseauth.googleapis.com"
  | "firebase.googleapis.com"
  | "firebasedatabase.googleapis.com";

export interface EventType {
  /** `eventType` of the legacy event. */
  legacy: string;
  /** `type` of the CloudEvent. */
  event: string;
  /** Named by the type, for resources that do not name it. */
  service: Service;
}

/** What a legacy `eventType` is. */
export function byLegacyType(eventType: string): EventType | undefined {
  return legacyTypes.get(eventType);
}

/** What the `type` of a CloudEvent is. */
export function byEventType(type: string): EventType | undefined {
  return eventTypes.get(type);
}

const firestore = "providers/cloud.firestore/eventTypes/document";
const auth = "providers/firebase.auth/eventTypes/user";
const analytics = "providers/google.firebase.analytics/eventTypes/event";
const database = "providers/google.firebase.database/eventTypes/ref";

// Of two legacy types for one event, the first is the one that an event becomes.
const table: readonly [service: Service, event: string, ...rows: [legacy: string, event: string][]][] = [
  [
    "pubsub.googleapis.com",
    "google.cloud.pubsub.topic.v1",
    ["google.pubsub.topic.publish", "messagePublished"],
    ["providers/cloud.pubsub/eventTypes/topic.publish", "messagePublished"],
  ],
  [
    "storage.googleapis.com",
    "google.cloud.storage.object.v1",
    ["google.storage.object.finalize", "finalized"],
    ["google.storage.object.delete", "deleted"],
    ["google.storage.object.archive", "archived"],
    ["google.storage.object.metadataUpdate", "metadataUpdated"],
    ["providers/cloud.storage/eventTypes/object.change", "finalized"],
  ],
  [
    "firestore.googleapis.com",
    "google.cloud.firestore.document.v1",
    [`${firestore}.write`, "written"],
    [`${firestore}.create`, "created"],
    [`${firestore}.update`, "updated"],
    [`${firestore}.delete`, "deleted"],
  ],
  [
    "firebaseauth.googleapis.com",
    "google.firebase.auth.user.v1",
    [`${auth}.create`, "created"],
    [`${auth}.delete`, "deleted"],
  ],
  ["firebase.googleapis.com", "google.firebase.analytics.log.v1", [`${analytics}.log`, "written"]],
  [
    "firebasedatabase.googleapis.com",
    "google.firebase.database.ref.v1",
    [`${database}.create`, "created"],
    [`${database}.write`, "written"],
    [`${database}.update`, "updated"],
    [`${database}.delete`, "deleted"],
  ],
];

const types = table.flatMap(([service, prefix, ...rows]) =>
  rows.map(([legacy, event]): EventType => ({ legacy, event: `${prefix}.${event}`, service })),
);
const legacyTypes = new Map(types.map((type) => [type.legacy, type]));
const eventTypes = new Map(types.toReversed().map((type) => [type.event, type])); // the first row of a type wins
