import assert from "node:assert/strict";
import { test } from "node:test";

import { invalidAttribute } from "../../../src/core/cloudevent";
import { eventFromLegacy } from "../../../src/signatures/legacy-to-event";

const context = { eventId: "1", timestamp: "2020-09-29T11:32:00.123Z" };
const object = { kind: "storage#object" };

/** The event of a legacy body, which is valid whatever else it is. */
function convert(body: Record<string, unknown>): Record<string, unknown> {
  const event = eventFromLegacy(body, { path: "/" });
  assert.ok(event);
  assert.equal(invalidAttribute(event), undefined);
  return event;
}

const inService = (service: string, name: string) => ({
  service: `${service}.googleapis.com`,
  name,
  type: "t",
});

const firestore = "providers/cloud.firestore/eventTypes/document";
const document = "projects/p/databases/(default)/documents/c/d";
const database = "providers/google.firebase.database/eventTypes/ref";
const reference = "projects/_/instances/i/refs/a/b";
const user = "providers/firebase.auth/eventTypes/user";
const instance = "//firebasedatabase.googleapis.com/projects/_/locations/us-central1/instances/i";

const storage = (legacy: string, type: string) =>
  [
    `google.storage.object.${legacy}`,
    inService("storage", "projects/_/buckets/b/objects/folder/o"),
    `google.cloud.storage.object.v1.${type}`,
    "//storage.googleapis.com/projects/_/buckets/b",
    "objects/folder/o",
  ] as const;
const inFirestore = (legacy: string, type: string) =>
  [
    `${firestore}.${legacy}`,
    document,
    `google.cloud.firestore.document.v1.${type}`,
    "//firestore.googleapis.com/projects/p/databases/(default)",
    "documents/c/d",
  ] as const;
const inDatabase = (legacy: string, type: string) =>
  [
    `${database}.${legacy}`,
    reference,
    `google.firebase.database.ref.v1.${type}`,
    instance,
    "refs/a/b",
  ] as const;
const ofUser = (legacy: string, type: string) =>
  [
    `${user}.${legacy}`,
    "projects/p",
    `google.firebase.auth.user.v1.${type}`,
    "//firebaseauth.googleapis.com/projects/p",
    "users/u",
  ] as const;

const types: (readonly [
  eventType: string,
  resource: unknown,
  type: string,
  source: string,
  subject: string | undefined,
])[] = [
  [
    "google.pubsub.topic.publish",
    inService("pubsub", "projects/p/topics/t"),
    "google.cloud.pubsub.topic.v1.messagePublished",
    "//pubsub.googleapis.com/projects/p/topics/t",
    undefined,
  ],
  [
    "providers/cloud.pubsub/eventTypes/topic.publish",
    "projects/p/topics/t",
    "google.cloud.pubsub.topic.v1.messagePublished",
    "//pubsub.googleapis.com/projects/p/topics/t",
    undefined,
  ],
  storage("finalize", "finalized"),
  storage("delete", "deleted"),
  storage("archive", "archived"),
  storage("metadataUpdate", "metadataUpdated"),
  [
    "providers/cloud.storage/eventTypes/object.change",
    "projects/_/buckets/b/objects/o",
    "google.cloud.storage.object.v1.finalized",
    "//storage.googleapis.com/projects/_/buckets/b",
    "objects/o",
  ],
  inFirestore("write", "written"),
  inFirestore("create", "created"),
  inFirestore("update", "updated"),
  inFirestore("delete", "deleted"),
  ofUser("create", "created"),
  ofUser("delete", "deleted"),
  [
    "providers/google.firebase.analytics/eventTypes/event.log",
    "projects/p/events/session_start",
    "google.firebase.analytics.log.v1.written",
    "//firebase.googleapis.com/projects/p",
    "events/session_start",
  ],
  inDatabase("create", "created"),
  inDatabase("write", "written"),
  inDatabase("update", "updated"),
  inDatabase("delete", "deleted"),
];

for (const [eventType, resource, type, source, subject] of types) {
  test(`${eventType}, in a context and flat`, () => {
    const data = { uid: "u", metadata: {} };
    const fields = { ...context, eventType, resource };
    const domain = "firebaseio.com";

    const events = [convert({ data, context: fields, domain }), convert({ data, ...fields, domain })];

    for (const { data: _data, ...event } of events) {
      assert.deepEqual(event, {
        id: "1",
        source,
        type,
        specversion: "1.0",
        ...(subject && { subject }),
        time: context.timestamp,
        datacontenttype: "application/json",
      });
    }
  });
}

const resources: [
  title: string,
  eventType: string,
  resource: unknown,
  more: object,
  source: string,
  subject: string | undefined,
][] = [
  [
    "a bucket in a project with a name",
    "google.storage.object.finalize",
    inService("storage", "projects/my-project/buckets/b.example.com/objects/o"),
    {},
    "//storage.googleapis.com/projects/my-project/buckets/b.example.com",
    "objects/o",
  ],
  [
    "an object with its generation",
    "google.storage.object.delete",
    inService("storage", "projects/_/buckets/b/objects/a#1/o.txt#1587627537231057"),
    {},
    "//storage.googleapis.com/projects/_/buckets/b",
    "objects/a#1/o.txt",
  ],
  [
    "an object with a line break in its name",
    "google.storage.object.finalize",
    inService("storage", "projects/_/buckets/b/objects/a\nb"),
    {},
    "//storage.googleapis.com/projects/_/buckets/b",
    "objects/a\nb",
  ],
  [
    "an object called like a part of the pattern",
    "google.storage.object.finalize",
    inService("storage", "projects/_/buckets/b/objects/x/objects/y"),
    {},
    "//storage.googleapis.com/projects/_/buckets/b",
    "objects/x/objects/y",
  ],
  [
    "a Firestore database with a name",
    `${firestore}.write`,
    "projects/my-project/databases/orders-eu/documents/c/d/e/f",
    {},
    "//firestore.googleapis.com/projects/my-project/databases/orders-eu",
    "documents/c/d/e/f",
  ],
  [
    "a Realtime Database of a project with a name",
    `${database}.write`,
    "projects/my-project/instances/i/refs/a",
    { domain: "firebaseio.com" },
    "//firebasedatabase.googleapis.com/projects/my-project/locations/us-central1/instances/i",
    "refs/a",
  ],
  [
    "a Realtime Database in another region",
    `${database}.write`,
    "projects/_/instances/i/refs/a",
    { domain: "asia-southeast1.firebasedatabase.app" },
    "//firebasedatabase.googleapis.com/projects/_/locations/asia-southeast1/instances/i",
    "refs/a",
  ],
  [
    "another service than that of the type",
    "google.pubsub.topic.publish",
    { service: "pubsub.example.com", name: "projects/p/topics/t" },
    {},
    "//pubsub.example.com/projects/p/topics/t",
    undefined,
  ],
  [
    "an object without service",
    "google.storage.object.finalize",
    { name: "projects/_/buckets/b/objects/o" },
    {},
    "//storage.googleapis.com/projects/_/buckets/b",
    "objects/o",
  ],
];

for (const [title, eventType, resource, more, source, subject] of resources) {
  test(`resource: ${title}`, () => {
    const event = convert({ data: object, context: { ...context, eventType, resource }, ...more });

    assert.deepEqual([event.source, event.subject], [source, subject]);
  });
}

const publish = "google.pubsub.topic.publish";
const topic = "projects/p/topics/t";
const [created, signedIn] = ["2020-05-26T10:42:27Z", "2020-10-24T11:00:00Z"];

const datas: [title: string, eventType: string, resource: string, data: unknown, converted: unknown][] = [
  [
    "a message gets the id and the time of the event",
    publish,
    topic,
    { data: "eA==", attributes: { a: "b" } },
    {
      message: { data: "eA==", attributes: { a: "b" }, messageId: "1", publishTime: context.timestamp },
    },
  ],
  [
    "a message keeps an id and a time of its own",
    publish,
    topic,
    { data: "eA==", messageId: "own", publishTime: created },
    { message: { data: "eA==", messageId: "own", publishTime: created } },
  ],
  [
    "the times of an account get their new names, others stay",
    `${user}.create`,
    "projects/p",
    { uid: "u", metadata: { createdAt: created, lastSignedInAt: signedIn, other: 1 } },
    { uid: "u", metadata: { createTime: created, lastSignInTime: signedIn, other: 1 } },
  ],
  ["an account without metadata stays", `${user}.create`, "projects/p", { uid: "u" }, { uid: "u" }],
  ["data that is no object stays", `${user}.create`, "projects/p", [1], [1]],
  ["null is data", `${firestore}.delete`, document, null, null],
  ["false is data", `${firestore}.delete`, document, false, false],
];

for (const [title, eventType, resource, data, converted] of datas) {
  test(`data: ${title}`, () => {
    const body = { data, ...context, eventType, resource };
    const before = structuredClone(body);

    const event = convert(body);

    assert.deepEqual(event.data, converted);
    assert.deepEqual(body, before);
  });
}

test("the subject of a user needs a uid and metadata", () => {
  for (const data of [{ uid: "u" }, { metadata: {} }, { uid: "", metadata: {} }, { uid: 7, metadata: {} }]) {
    const event = convert({ data, ...context, eventType: `${user}.create`, resource: "projects/p" });

    assert.ok(!("subject" in event), JSON.stringify(data));
  }
});

test("an event without a time has none", () => {
  for (const timestamp of [undefined, null]) {
    const event = convert({ data: {}, eventId: "1", timestamp, eventType: publish, resource: topic });

    assert.ok(!("time" in event));
    assert.deepEqual(event.data, { message: { messageId: "1" } });
  }
});

test("what is meant as something else is left alone", () => {
  const bodies: object[] = [
    {},
    { message: "hello" },
    { data: {} },
    { id: "1", source: "/s", type: "t" },
    { specversion: "1.0", eventType: publish, resource: topic, data: {} },
  ];
  for (const body of bodies)
    assert.equal(eventFromLegacy({ ...body }, { path: "/" }), undefined, JSON.stringify(body));
});
