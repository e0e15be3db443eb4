import assert from "node:assert/strict";
import { test } from "node:test";

import type { CloudEvent } from "../../../src/functions/types";
import { eventToLegacy } from "../../../src/signatures/event-to-legacy";

const time = "2020-09-29T11:32:00.123Z";
const messageType = "type.googleapis.com/google.pubsub.v1.PubsubMessage";

const event = (fields: Partial<CloudEvent>): CloudEvent => ({
  id: "1",
  source: "/s",
  type: "t",
  specversion: "1.0",
  time,
  ...fields,
});

const object = { kind: "storage#object", bucket: "b" };
const bucket = "//storage.googleapis.com/projects/_/buckets/b";
const stored = {
  service: "storage.googleapis.com",
  name: "projects/_/buckets/b/objects/folder/o",
  type: "storage#object",
};
const firestore = "//firestore.googleapis.com/projects/p/databases/(default)";
const instance = "//firebasedatabase.googleapis.com/projects/_/locations/europe-west1/instances/i";

const storage = (type: string, legacy: string) =>
  [
    `google.cloud.storage.object.v1.${type}`,
    bucket,
    "objects/folder/o",
    `google.storage.object.${legacy}`,
    stored,
  ] as const;
const inFirestore = (type: string, legacy: string) =>
  [
    `google.cloud.firestore.document.v1.${type}`,
    firestore,
    "documents/c/d",
    `providers/cloud.firestore/eventTypes/document.${legacy}`,
    "projects/p/databases/(default)/documents/c/d",
  ] as const;
const inDatabase = (type: string, legacy: string) =>
  [
    `google.firebase.database.ref.v1.${type}`,
    instance,
    "refs/a/b",
    `providers/google.firebase.database/eventTypes/ref.${legacy}`,
    "projects/_/instances/i/refs/a/b",
  ] as const;
const ofUser = (type: string, legacy: string) =>
  [
    `google.firebase.auth.user.v1.${type}`,
    "//firebaseauth.googleapis.com/projects/p",
    "users/u",
    `providers/firebase.auth/eventTypes/user.${legacy}`,
    "projects/p",
  ] as const;

const types: (readonly [
  type: string,
  source: string,
  subject: string | undefined,
  eventType: string,
  resource: unknown,
])[] = [
  [
    "google.cloud.pubsub.topic.v1.messagePublished",
    "//pubsub.googleapis.com/projects/p/topics/t",
    undefined,
    "google.pubsub.topic.publish",
    { service: "pubsub.googleapis.com", name: "projects/p/topics/t", type: messageType },
  ],
  storage("finalized", "finalize"),
  storage("deleted", "delete"),
  storage("archived", "archive"),
  storage("metadataUpdated", "metadataUpdate"),
  inFirestore("written", "write"),
  inFirestore("created", "create"),
  inFirestore("updated", "update"),
  inFirestore("deleted", "delete"),
  ofUser("created", "create"),
  ofUser("deleted", "delete"),
  [
    "google.firebase.analytics.log.v1.written",
    "//firebase.googleapis.com/projects/p",
    "events/session_start",
    "providers/google.firebase.analytics/eventTypes/event.log",
    "projects/p/events/session_start",
  ],
  inDatabase("created", "create"),
  inDatabase("written", "write"),
  inDatabase("updated", "update"),
  inDatabase("deleted", "delete"),
];

for (const [type, source, subject, eventType, resource] of types) {
  test(type, () => {
    const { data, context } = eventToLegacy(event({ type, source, subject, data: object }));

    assert.deepEqual(data, object);
    assert.deepEqual(context, { eventId: "1", timestamp: time, eventType, resource });
  });
}

test("without a subject the resource is the source alone", () => {
  const withoutSubject: [type: string, source: string, resource: unknown][] = [
    ["google.cloud.storage.object.v1.finalized", bucket, { ...stored, name: "projects/_/buckets/b" }],
    ["google.cloud.firestore.document.v1.written", firestore, "projects/p/databases/(default)"],
    ["google.firebase.database.ref.v1.written", instance, "projects/_/instances/i"],
    ["google.firebase.analytics.log.v1.written", "//firebase.googleapis.com/projects/p", "projects/p"],
  ];
  for (const [type, source, resource] of withoutSubject) {
    const { context } = eventToLegacy(event({ type, source, data: object }));

    assert.deepEqual((context as { resource: unknown }).resource, resource, type);
  }
});

test("an event without a time has no timestamp", () => {
  const type = "google.cloud.firestore.document.v1.written";

  const { context } = eventToLegacy(event({ type, source: firestore, time: undefined }));

  assert.ok(!("timestamp" in context));
});

const published = "google.cloud.pubsub.topic.v1.messagePublished";
const created = "google.firebase.auth.user.v1.created";
const datas: [title: string, type: string, data: unknown, converted: unknown][] = [
  [
    "a message without what the context says",
    published,
    {
      subscription: "projects/p/subscriptions/s",
      message: { data: "eA==", attributes: { a: "b" }, messageId: "1", publishTime: time },
    },
    { data: "eA==", attributes: { a: "b" } },
  ],
  ["Pub/Sub data without a message", published, { other: 1 }, { other: 1 }],
  ["Pub/Sub data with a message that is none", published, { message: "text" }, { message: "text" }],
  ["no Pub/Sub data", published, undefined, undefined],
  [
    "the times of an account with their old names",
    created,
    { uid: "u", metadata: { createTime: time, lastSignInTime: time, other: 1 } },
    { uid: "u", metadata: { createdAt: time, lastSignedInAt: time, other: 1 } },
  ],
  ["an account whose metadata is no object", created, { metadata: "none" }, { metadata: "none" }],
  ["an account that is null", created, null, null],
];

for (const [title, type, data, converted] of datas) {
  test(`data: ${title}`, () => {
    const sent = event({ type, source: "//service.googleapis.com/projects/p", data });
    const before = structuredClone(sent);

    assert.deepEqual(eventToLegacy(sent).data, converted);
    assert.deepEqual(sent, before);
  });
}

test("the kind of an object is left out when its data does not tell it", () => {
  for (const data of [undefined, null, "text", {}, { kind: 7 }]) {
    const sent = event({
      type: "google.cloud.storage.object.v1.finalized",
      source: bucket,
      subject: "objects/o",
      data,
    });

    assert.deepEqual((eventToLegacy(sent).context as { resource: unknown }).resource, {
      service: "storage.googleapis.com",
      name: "projects/_/buckets/b/objects/o",
    });
  }
});

test("an event of another type keeps its attributes as the context", () => {
  for (const type of ["order.stored", "constructor", "__proto__", "toString"]) {
    const sent = event({ type, subject: "s", data: { a: 1 } });
    const { data, ...attributes } = sent;

    assert.deepEqual(eventToLegacy(sent), { data, context: attributes });
  }
});

test("a source that names no resource is refused", () => {
  for (const source of ["/s", "//service", "//service/", "///name", "https://example.com/x", "urn:x"]) {
    assert.throws(() => eventToLegacy(event({ type: published, source })), {
      code: "FF_EVENT_INVALID",
      status: 400,
      message: /"source" must look like "\/\/service\/name"/,
    });
  }
});
