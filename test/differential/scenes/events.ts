/** CloudEvents and legacy events, to cloudevent and to event functions: spec §8 and §9. */
import type { Exchange } from "../support/exchange";
import { json, production, type Scene } from "./scene";

const attributes = { "ce-id": "1", "ce-source": "/test", "ce-type": "tested", "ce-specversion": "1.0" };
const event = { id: "1", source: "/test", type: "tested", specversion: "1.0" };
const structured = "application/cloudevents+json";

const binary = (
  headers: Record<string, string | undefined>,
  body?: Exchange["body"],
  method = "POST",
): Exchange => ({
  method,
  headers: Object.fromEntries(
    Object.entries({ ...attributes, ...headers }).filter(
      (pair): pair is [string, string] => pair[1] !== undefined,
    ),
  ),
  ...(body !== undefined && { body }),
});
const withJson = (value: unknown, headers = {}) =>
  binary({ "Content-Type": "application/json", ...headers }, JSON.stringify(value));
const whole = (value: unknown, headers = {}) => json(value, { "Content-Type": structured, ...headers });

const inputs: Record<string, Exchange> = {
  "binary, object": withJson({ a: 1 }),
  "binary, array": withJson([1]),
  "binary, extensions": withJson(
    {},
    { "ce-myext": "v", "ce-time": "2020-01-01T00:00:00Z", "ce-subject": "s" },
  ),
  "binary, datacontenttype": withJson({}, { "ce-datacontenttype": "application/json" }),
  "binary, traceparent": withJson(
    {},
    { traceparent: "00-11111111111111111111111111111111-2222222222222222-01" },
  ),
  "binary, text": binary({ "Content-Type": "text/plain" }, "text"),
  "binary, no body": binary({}),
  "binary, octet-stream": binary({ "Content-Type": "application/octet-stream" }, "bytes"),
  "binary, xml": binary({ "Content-Type": "application/xml" }, "<a/>"),
  "binary, +json": binary({ "Content-Type": "application/vnd.a+json" }, '{"a":1}'),
  "binary, JSON number": withJson(5),
  "binary, JSON string": withJson("text"),
  "binary, malformed JSON": binary({ "Content-Type": "application/json" }, "{"),
  "binary, no id": withJson({}, { "ce-id": undefined }),
  "binary, empty source": withJson({}, { "ce-source": "" }),
  "binary, specversion 0.3": withJson({}, { "ce-specversion": "0.3" }),
  "binary, percent-encoding": withJson({}, { "ce-subject": "%E2%82%AC%20x" }),
  "structured, object": whole({ ...event, data: { a: 1 } }),
  "structured, no data": whole(event),
  "structured, extension": whole({ ...event, myext: 1, data: "x" }),
  "structured, data_base64": whole({ ...event, data_base64: "aW1n" }),
  "structured, no id": whole({ ...event, id: undefined }),
  "structured, specversion 2.0": whole({ ...event, specversion: "2.0" }),
  "structured, {}": whole({}),
  "structured, []": whole([]),
  "structured, empty": { method: "POST", headers: { "Content-Type": structured }, body: "" },
  "structured, malformed": { method: "POST", headers: { "Content-Type": structured }, body: "{" },
  "structured and ce- headers": whole({ ...event, id: "of the document" }, attributes),
  "event as application/json": json({ ...event, data: 1 }),
  "batch of two": json([event, { ...event, id: "2" }], {
    "Content-Type": "application/cloudevents-batch+json",
  }),
  "empty batch": json([], { "Content-Type": "application/cloudevents-batch+json" }),
  "JSON that is no event": json({ a: 1 }),
  form: { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: "a=1" },
  bytes: { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: "x" },
  text: { method: "POST", headers: { "Content-Type": "text/plain" }, body: "x" },
  nothing: { method: "POST" },
  "favicon.ico": { path: "/favicon.ico" },
  ...Object.fromEntries(
    ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"].map((method) => [
      method,
      binary({}, undefined, method),
    ]),
  ),
};

const ofTypes = (types: string[]) =>
  Object.fromEntries(types.map((type) => [type, withJson({}, { "ce-type": type })]));

const replies = [
  ...[
    "undefined",
    "null",
    "text",
    "empty",
    "number",
    "zero",
    "true",
    "false",
    "object",
    "list",
    "buffer",
    "promise",
  ],
  ...[
    "event",
    "event-text",
    "event-bytes",
    "event-base64",
    "event-empty",
    "event-of-sdk",
    "event-of-sdk-bytes",
  ],
  ...["bigint", "circular", "throws", "rejects", "rejects-null", "rejects-undefined", "timer", "unhandled"],
];
const endings = [
  ...["nothing", "value", "null", "later", "error", "text-error", "twice", "throws", "async-throws"],
  ...["async-returns", "timer"],
];

const pubsub = {
  context: {
    eventId: "e1",
    timestamp: "2020-09-29T11:32:00.123Z",
    eventType: "google.pubsub.topic.publish",
    resource: {
      service: "pubsub.googleapis.com",
      name: "projects/p/topics/t",
      type: "type.googleapis.com/google.pubsub.v1.PubsubMessage",
    },
  },
  data: {
    "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage",
    attributes: { a: "1" },
    data: "dGV4dA==",
  },
};
const storage = (name: string) => ({
  context: {
    eventId: "e1",
    timestamp: "2020-09-29T11:32:00.123Z",
    eventType: "google.storage.object.finalize",
    resource: { service: "storage.googleapis.com", name, type: "storage#object" },
  },
  data: { kind: "storage#object", bucket: "b", name: "folder/a.txt" },
});
const firestore = (database: string) => ({
  eventId: "e1",
  timestamp: "2020-09-29T11:32:00.123Z",
  eventType: "providers/cloud.firestore/eventTypes/document.write",
  resource: `projects/p/databases/${database}/documents/c/d`,
  data: { value: {} },
});
const auth = {
  eventId: "e1",
  timestamp: "2020-09-29T11:32:00.123Z",
  eventType: "providers/firebase.auth/eventTypes/user.create",
  resource: "projects/p",
  data: { uid: "u", metadata: { createdAt: "2020-05-26T10:42:27Z", lastSignedInAt: "2020-10-24T11:00:00Z" } },
};
const database = (domain: string | undefined) => ({
  eventId: "e1",
  timestamp: "2020-09-29T11:32:00.123Z",
  eventType: "providers/google.firebase.database/eventTypes/ref.write",
  resource: "projects/_/instances/i/refs/r/s",
  domain,
  data: { data: null, delta: 1 },
});
const push = (message: object) => ({ subscription: "projects/p/subscriptions/s", message });
const pushed = { data: "dGV4dA==", messageId: "m1", publishTime: "2020-09-29T11:32:00.123Z" };

const legacy: Record<string, Exchange> = {
  "Pub/Sub": json(pubsub),
  Storage: json(storage("projects/_/buckets/b/objects/folder/a.txt")),
  "Storage, real project": json(storage("projects/my-project/buckets/b/objects/folder/a.txt")),
  "Storage, generation": json(storage("projects/_/buckets/b/objects/folder/a.txt#1588778055917163")),
  Firestore: json(firestore("(default)")),
  "Firestore, own database": json(firestore("mine")),
  Auth: json(auth),
  Database: json(database("firebaseio.com")),
  "Database, region": json(database("europe-west1.firebasedatabase.app")),
  "Database, no domain": json(database(undefined)),
  "unknown event type": json({ ...pubsub, context: { ...pubsub.context, eventType: "google.unknown" } }),
  "null context": json({ data: {}, context: null }),
  "Pub/Sub push": { ...json(push({ ...pushed, attributes: { a: "1" } })), path: "/projects/p/topics/t" },
  "Pub/Sub push without topic": json(push(pushed)),
  "Pub/Sub push without data": {
    ...json(push({ ...pushed, data: undefined, attributes: { a: "1" } })),
    path: "/projects/p/topics/t",
  },
};

const google = (type: string, source: string, subject: string | undefined, data: object): Exchange =>
  withJson(data, {
    "ce-type": type,
    "ce-source": source,
    "ce-time": "2020-09-29T11:32:00.123Z",
    ...(subject !== undefined && { "ce-subject": subject }),
  });
const published = "google.cloud.pubsub.topic.v1.messagePublished";
const message = { message: { data: "dGV4dA==", messageId: "m1", publishTime: "2020-09-29T11:32:00.123Z" } };
const stored = "google.cloud.storage.object.v1.finalized";

const backward: Record<string, Exchange> = {
  "CloudEvent of Pub/Sub": google(
    published,
    "//pubsub.googleapis.com/projects/p/topics/t",
    undefined,
    message,
  ),
  "CloudEvent of Storage": google(stored, "//storage.googleapis.com/projects/_/buckets/b", "objects/a", {
    kind: "storage#object",
  }),
  "CloudEvent of Storage, no subject": google(
    stored,
    "//storage.googleapis.com/projects/_/buckets/b",
    undefined,
    {},
  ),
  "CloudEvent of Pub/Sub, bad source": google(published, "nowhere", undefined, message),
  "CloudEvent of Auth": google(
    "google.firebase.auth.user.v1.created",
    "//firebaseauth.googleapis.com/projects/p",
    "users/u",
    { uid: "u", metadata: { createTime: "2020-05-26T10:42:27Z", lastSignInTime: "2020-10-24T11:00:00Z" } },
  ),
  "CloudEvent of Database": google(
    "google.firebase.database.ref.v1.written",
    "//firebasedatabase.googleapis.com/projects/_/locations/us-central1/instances/i",
    "refs/r",
    { data: 1 },
  ),
  "CloudEvent of an unknown type": withJson({ a: 1 }),
  "structured CloudEvent": whole({ ...event, type: published, data: { a: 1 } }),
  "context and data": json({ context: { eventId: "own" }, data: { a: 1 } }),
  "no context": json({ eventId: "own", data: { a: 1 } }),
  "no body": { method: "POST" },
  text: { method: "POST", headers: { "Content-Type": "text/plain" }, body: "text" },
  "a batch": json([event], { "Content-Type": "application/cloudevents-batch+json" }),
  ...Object.fromEntries(["GET", "PUT", "HEAD"].map((method) => [method, { method }])),
};

const replyOf = (data: object) => json({ context: { eventId: "1" }, data });
const eventReplies: Record<string, Exchange> = {
  "no value": replyOf({}),
  "a text": replyOf({ reply: "text" }),
  "an object": replyOf({ reply: { a: 1 } }),
  null: replyOf({ reply: null }),
  fails: replyOf({ fails: true }),
};

const cloudevents = "cloudevents";
const legacyEvents = "legacy-events";
const asEvent = "--signature-type=event";

export const events: Scene[] = [
  { name: "cloudevent: inputs", fixture: cloudevents, args: ["--target=seen"], requests: inputs },
  {
    name: "cloudevent: replies",
    fixture: cloudevents,
    args: ["--target=replies"],
    requests: ofTypes(replies),
  },
  {
    name: "cloudevent: deadly replies",
    fixture: cloudevents,
    args: ["--target=replies"],
    requests: ofTypes(["throws-null"]),
  },
  {
    name: "cloudevent: replies in production",
    fixture: cloudevents,
    args: ["--target=replies"],
    env: production,
    requests: ofTypes(["throws", "rejects", "timer", "unhandled"]),
  },
  {
    name: "cloudevent: callbacks",
    fixture: cloudevents,
    args: ["--target=callback"],
    requests: ofTypes(endings),
  },
  {
    name: "cloudevent: by flag",
    fixture: "cloudevent-export",
    args: ["--target=greet", "--signature-type=cloudevent", "--source=index.mjs"],
    requests: { "an event": withJson({}) },
  },
  {
    name: "cloudevent: registered",
    fixture: "registered",
    args: ["--target=stored"],
    env: { FUNCTION_SIGNATURE_TYPE: "http" },
    requests: { "an event": withJson({}) },
  },
  { name: "cloudevent: legacy events", fixture: cloudevents, args: ["--target=seen"], requests: legacy },
  {
    name: "event: inputs",
    fixture: legacyEvents,
    args: ["--target=seen", asEvent],
    requests: { ...legacy, ...backward },
  },
  {
    name: "event: replies",
    fixture: legacyEvents,
    args: ["--target=replies", asEvent],
    requests: eventReplies,
  },
  {
    name: "event: callbacks",
    fixture: legacyEvents,
    args: ["--target=callback", asEvent],
    requests: eventReplies,
  },
];
