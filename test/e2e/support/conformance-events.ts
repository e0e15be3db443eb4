/** The seventeen events of the conformance checks, each as a legacy event and as a CloudEvent. */
import { complexFields, simpleFields } from "./conformance-firestore";

/** A CloudEvent in JSON, without specversion. */
export interface EventJson {
  id: string;
  source: string;
  type: string;
  subject?: string;
  time: string;
  datacontenttype: string;
  data: unknown;
}

/** What a legacy function writes. */
export interface LegacyJson {
  data: unknown;
  context: { eventId: string; timestamp: string; eventType: string; resource: unknown };
}

export interface ConformanceEvent {
  name: string;
  /** As it is sent: the fields in `context`, or flat beside `data`. */
  legacy: Record<string, unknown>;
  event: EventJson;
  /** What `legacy` becomes, where that is not `event`. */
  convertedEvent?: EventJson;
  /** What a legacy function writes for `legacy`. */
  written: LegacyJson;
  /** What a legacy function writes for `event`, where that is not `written`. */
  convertedWritten?: LegacyJson;
}

const id = "aaaaaa-1111-bbbb-2222-cccccccccccc";
const time = "2020-09-29T11:32:00.123Z";
const datacontenttype = "application/json";

const context = (eventType: string, resource: unknown) => ({
  eventId: id,
  timestamp: time,
  eventType,
  resource,
});

/** An event whose fields stand beside its data, and whose data is the same in both forms. */
function flat(
  name: string,
  eventType: string,
  resource: string,
  { data, ...beside }: Record<string, unknown>,
  event: { source: string; type: string; subject?: string; data?: unknown },
): ConformanceEvent {
  return {
    name,
    legacy: { data, ...beside, ...context(eventType, resource) },
    event: { id, time, datacontenttype, data, ...event },
    written: { data, context: context(eventType, resource) },
  };
}

// Firebase Authentication

const account = {
  email: "test@example.com",
  uid: "UUpby3s4spZre6kHsgVSPetzQ8l2",
  providerData: [{ email: "test@example.com", providerId: "password", uid: "test@example.com" }],
};
const [created, signedIn] = ["2020-05-26T10:42:27Z", "2020-10-24T11:00:00Z"];

const auth = flat(
  "firebase-auth",
  "providers/firebase.auth/eventTypes/user.create",
  "projects/my-project-id",
  { data: { ...account, metadata: { createdAt: created, lastSignedInAt: signedIn } }, notSupported: {} },
  {
    source: "//firebaseauth.googleapis.com/projects/my-project-id",
    type: "google.firebase.auth.user.v1.created",
    subject: `users/${account.uid}`,
    data: { ...account, metadata: { createTime: created, lastSignInTime: signedIn } },
  },
);

// Firebase Realtime Database

const child = "xyz";

function reference(
  name: string,
  data: unknown,
  delta: unknown,
  { domain = "firebaseio.com", location = "us-central1", verb = "write", done = "written" } = {},
): ConformanceEvent {
  return flat(
    name,
    `providers/google.firebase.database/eventTypes/ref.${verb}`,
    `projects/_/instances/my-project-id/refs/gcf-test/${child}`,
    { data: { data, delta }, params: { child }, auth: { admin: true }, domain },
    {
      source: `//firebasedatabase.googleapis.com/projects/_/locations/${location}/instances/my-project-id`,
      type: `google.firebase.database.ref.v1.${done}`,
      subject: `refs/gcf-test/${child}`,
    },
  );
}

const european = { domain: "europe-west1.firebasedatabase.app", location: "europe-west1" };
const removed = { verb: "delete", done: "deleted" };
const tree = { grandchild: "other", list: ["a", null, { deep: [1.5] }], empty: "" };

const references = [
  reference("firebase-db1", null, { grandchild: "other" }),
  reference("firebase-db2", { grandchild: "other" }, { grandchild: "other changed" }, european),
  reference("firebase-db3", null, "a text"),
  reference("firebase-db4", "a text", 10),
  reference("firebase-db5", 10, { a: { b: { c: 1e-7 } }, ünïcödé: "✓" }),
  reference("firebase-db6", tree, { list: { 0: null } }),
  reference("firebase-db7", false, true),
  reference("firebase-db8", tree, { grandchild: null, empty: "filled" }),
  reference("firebase-dbdelete1", { grandchild: "other changed" }, null, removed),
  reference("firebase-dbdelete2", 10, null, removed),
];

// Firestore

function document(name: string, id: string, data: unknown, params: object): ConformanceEvent {
  return flat(
    name,
    "providers/cloud.firestore/eventTypes/document.write",
    `projects/project-id/databases/(default)/documents/gcf-test/${id}`,
    { data, params, notSupported: {} },
    {
      source: "//firestore.googleapis.com/projects/project-id/databases/(default)",
      type: "google.cloud.firestore.document.v1.written",
      subject: `documents/gcf-test/${id}`,
    },
  );
}

const snapshot = (id: string, fields: object, updateTime: string) => ({
  name: `projects/project-id/databases/(default)/documents/gcf-test/${id}`,
  createTime: "2020-04-23T09:58:53.211035Z",
  updateTime,
  fields,
});
const [simple, complex] = ["2Vm2mI1d0wIaK2Waj5to", "IH75dRdeYJKd4uuQiqch"];

const documents = [
  document(
    "firestore_simple",
    simple,
    {
      oldValue: snapshot(simple, simpleFields("before"), "2020-04-23T12:00:27.247187Z"),
      updateMask: { fieldPaths: ["count"] },
      value: snapshot(simple, simpleFields("after"), "2020-04-23T12:00:27.247187Z"),
    },
    { doc: simple },
  ),
  document(
    "firestore_complex",
    complex,
    { oldValue: {}, updateMask: {}, value: snapshot(complex, complexFields, "2020-04-23T14:25:05.349632Z") },
    { doc: complex },
  ),
];

// Pub/Sub

const messageType = "type.googleapis.com/google.pubsub.v1.PubsubMessage";
const topic = "projects/sample-project/topics/gcf-test";
const publish = "google.pubsub.topic.publish";

function message(name: string, fields: object, legacyType?: string): ConformanceEvent {
  const data = { "@type": messageType, ...fields };
  const resource = { service: "pubsub.googleapis.com", name: topic, type: messageType };
  const published = { message: { ...data, messageId: id, publishTime: time } };
  const event = {
    id,
    source: `//pubsub.googleapis.com/${topic}`,
    type: "google.cloud.pubsub.topic.v1.messagePublished",
    time,
    datacontenttype,
  };
  const subscription = "projects/sample-project/subscriptions/sample-subscription";
  const modern = { data, context: context(publish, resource) };
  const old = legacyType === undefined ? undefined : { data, context: context(legacyType, topic) };
  return {
    name,
    legacy: old ? { data, ...old.context } : modern,
    event: { ...event, data: { subscription, ...published } },
    convertedEvent: { ...event, data: published },
    written: old ?? modern,
    convertedWritten: modern,
  };
}

const messages = [
  message(
    "legacy_pubsub",
    { attributes: { attribute1: "value1" }, data: "VGhpcyBpcyBhIHNhbXBsZSBtZXNzYWdl" },
    "providers/cloud.pubsub/eventTypes/topic.publish",
  ),
  message("pubsub_text", { attributes: { attr1: "attr1-value" }, data: "dGVzdCBtZXNzYWdlIDM=" }),
  message("pubsub_binary", { data: "AQIDBA==" }),
];

// Storage

const bucket = "projects/_/buckets/some-bucket";
const object = "objects/folder/Test.cs";
const stored = {
  kind: "storage#object",
  bucket: "some-bucket",
  name: "folder/Test.cs",
  id: "some-bucket/folder/Test.cs/1587627537231057",
  contentType: "text/plain",
  crc32c: "beVMpQ==",
  etag: "CNHZkbuF/ugCEAE=",
  generation: "1587627537231057",
  metageneration: "1",
  size: "352",
  storageClass: "MULTI_REGIONAL",
  timeCreated: "2020-04-23T07:38:57.230Z",
  updated: "2020-04-23T07:38:57.230Z",
  metadata: { "own-key": "own value" },
};
const finalized = context("google.storage.object.finalize", {
  service: "storage.googleapis.com",
  name: `${bucket}/${object}`,
  type: "storage#object",
});

const storage: ConformanceEvent = {
  name: "storage",
  legacy: { data: stored, context: finalized },
  event: {
    id,
    source: `//storage.googleapis.com/${bucket}`,
    type: "google.cloud.storage.object.v1.finalized",
    subject: object,
    time,
    datacontenttype,
    data: stored,
  },
  written: { data: stored, context: finalized },
};

export const conformanceEvents: readonly ConformanceEvent[] = [
  auth,
  ...references,
  ...documents,
  ...messages,
  storage,
];
