/** What is no event for an event function, and no legacy event for a cloudevent function: 400 with the reason. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { event, post, postBinary, postStructured } from "./support/events";
import { startFramework } from "./support/framework";
import { postJson, type Reply } from "./support/http";

const json = "application/json";
const fields = {
  eventId: "1",
  timestamp: "2020-09-29T11:32:00.123Z",
  eventType: "google.pubsub.topic.publish",
  resource: { service: "pubsub.googleapis.com", name: "projects/p/topics/t" },
};
const storage = {
  ...fields,
  eventType: "google.storage.object.finalize",
  resource: "projects/_/buckets/b/objects/o",
};
const firestore = {
  ...fields,
  eventType: "providers/cloud.firestore/eventTypes/document.write",
  resource: "projects/p/databases/(default)/documents/c/d",
};
const database = {
  ...fields,
  eventType: "providers/google.firebase.database/eventTypes/ref.write",
  resource: "projects/_/instances/i/refs/a",
};
const analytics = {
  ...fields,
  eventType: "providers/google.firebase.analytics/eventTypes/event.log",
  resource: "projects/p/events/e",
};
const push = { subscription: "s", message: { messageId: "1", data: "eA==" } };
const noTexts = [7, true, null, ["1"], {}];
const noContexts = [null, 7, "text", true, [fields]];

/** A row is one request, and what its refusal says. */
type Row = [title: string, says: RegExp, send: (url: string) => Promise<Reply>];
const body = (title: string, says: RegExp, value: unknown): Row => [
  title,
  says,
  (url) => postJson(url, value),
];
const inContext = (title: string, says: RegExp, change: object, of: object = fields): Row =>
  body(title, says, { data: {}, context: { ...of, ...change } });

const forBoth: Row[] = [
  ...noContexts.map((context) =>
    body(`context ${JSON.stringify(context)}`, /"context" must be an object, not /, { data: {}, context }),
  ),
  body("a push at no time", /"message\.publishTime" must be an RFC 3339/, {
    ...push,
    message: { ...push.message, publishTime: "soon" },
  }),
  body("a CloudEvent without id", /^Not a valid CloudEvent: "id" is missing/, {
    ...event,
    id: undefined,
    data: {},
  }),
  body("a CloudEvent of another version", /"specversion" must be "1\.0"/, { ...event, specversion: "2" }),
  [
    "a structured CloudEvent without specversion",
    /"specversion" is missing/,
    (url) => postStructured(url, { ...event, specversion: undefined }),
  ],
  [
    "a binary CloudEvent without type",
    /"type" is missing/,
    (url) => postBinary(url, { "ce-type": undefined }),
  ],
  ["broken JSON", /broken JSON/, (url) => post(url, { "Content-Type": json }, '{"data":')],
];

const forCloudEvents: Row[] = [
  body("no data", /"data" is missing/, { context: fields }),
  body("no data, flat", /"data" is missing/, { ...fields }),
  ...["eventId", "eventType", "resource"].flatMap((name): Row[] => [
    inContext(`no ${name}`, new RegExp(`"${name}" is missing`), { [name]: undefined }),
    inContext(`an empty ${name}`, new RegExp(`"${name}" is missing`), { [name]: "" }),
    ...noTexts
      .filter((value) => name !== "resource" || JSON.stringify(value) !== "{}")
      .map((value) =>
        inContext(`${name} ${JSON.stringify(value)}`, new RegExp(`"${name}" must be a text, not `), {
          [name]: value,
        }),
      ),
  ]),
  body("a null resource, flat", /"resource" must be a text, not null/, {
    data: {},
    ...fields,
    resource: null,
  }),
  inContext("a resource without name", /"resource\.name" is missing/, { resource: {} }),
  ...[7, [], {}].map((name) =>
    inContext(`a resource called ${JSON.stringify(name)}`, /"resource\.name" must be a text/, {
      resource: { name },
    }),
  ),
  inContext(
    "a bucket called null",
    /"resource\.name" must be a text, not null/,
    { resource: { name: null } },
    storage,
  ),
  ...[7, null, {}].map((service) =>
    inContext(`a resource in service ${JSON.stringify(service)}`, /"resource\.service" must be a text/, {
      resource: { ...fields.resource, service },
    }),
  ),
  ...["soon", 7, {}, "2020-09-29"].map((timestamp) =>
    inContext(`timestamp ${JSON.stringify(timestamp)}`, /"timestamp" must be an RFC 3339/, { timestamp }),
  ),
  ...["google.pubsub.topic.unknown", "constructor", "__proto__", "toString", "a\nb", "x".repeat(100_000)].map(
    (eventType) =>
      inContext(
        `the eventType ${JSON.stringify(eventType.slice(0, 30))}`,
        new RegExp(
          `no CloudEvent is known for the eventType "${JSON.stringify(eventType).slice(1, 20)}`.replaceAll(
            "\\",
            "\\\\",
          ),
        ),
        { eventType },
      ),
  ),
  ...noTexts
    .filter((data) => JSON.stringify(data) !== "{}")
    .map((data) =>
      body(`a message ${JSON.stringify(data)}`, /"data" of a Pub\/Sub event/, { data, context: fields }),
    ),
  ...[
    "projects/_/buckets/b",
    "buckets/b/objects/o",
    "projects/_/buckets/b/objects/",
    "projects/_/buckets/b/objects/#1",
    "constructor",
  ].map((resource) =>
    inContext(`the object ${resource}`, /must look like "projects\/\*\/buckets/, { resource }, storage),
  ),
  ...["projects/p/databases/d", "projects/p/databases//documents/c", "documents/c/d"].map((resource) =>
    inContext(`the document ${resource}`, /must look like "projects\/\*\/databases/, { resource }, firestore),
  ),
  inContext("an analytics event without name", /must look like/, { resource: "projects/p" }, analytics),
  body("a database without domain", /"domain".* is missing/, { data: {}, ...database }),
  ...[7, null, {}, "", "example.com", "a.b.firebasedatabase.app", "firebasedatabase.app", "__proto__"].map(
    (domain) =>
      body(`a database at ${JSON.stringify(domain)}`, /"domain" must be/, { data: {}, ...database, domain }),
  ),
  body("a reference without path", /must look like/, {
    data: {},
    ...database,
    domain: "firebaseio.com",
    resource: "projects/_/instances/i",
  }),
  body(
    "members called as those of every object",
    /"eventType" is missing/,
    JSON.parse('{"context":{"__proto__":{"eventType":"x"},"constructor":{}},"data":{}}'),
  ),
];

const deep = `{"data":{},"context":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
const forEvents: Row[] = [
  ["no body", /the body is empty/, (url) => post(url, {})],
  ["an empty body", /the body is empty/, (url) => post(url, { "Content-Type": json }, "")],
  [
    "an empty structured body",
    /the body is empty/,
    (url) => post(url, { "Content-Type": "application/cloudevents+json" }, ""),
  ],
  ...[[], [{}], 7, "text", true, null].map((value) =>
    body(`the body ${JSON.stringify(value)}`, /the body must be a JSON object, not /, value),
  ),
  [
    "a text",
    /the body must be JSON, not "text\/plain"/,
    (url) => post(url, { "Content-Type": "text/plain" }, "{}"),
  ],
  [
    "a form",
    /the body must be JSON/,
    (url) => post(url, { "Content-Type": "application/x-www-form-urlencoded" }, "data=1"),
  ],
  ["bytes without a type", /the body has no content type/, (url) => post(url, {}, "{}")],
  [
    "a context nested deeply",
    /"context" must be an object, not a list/,
    (url) => post(url, { "Content-Type": json }, deep),
  ],
  [
    "a CloudEvent whose source names no resource",
    /"source" must look like "\/\/service\/name"/,
    (url) => postBinary(url, { "ce-type": "google.cloud.pubsub.topic.v1.messagePublished" }),
  ],
];

async function assertRefused(t: TestContext, project: string, rows: Row[], accepted: unknown): Promise<void> {
  const framework = await startFramework(["--target=seen"], { project });
  t.after(framework.stop);

  for (const [title, says, send] of rows) {
    await t.test(title, async () => {
      const reply = await send(framework.url);

      assert.equal(reply.status, 400);
      assert.match(reply.text, says);
      assert.doesNotMatch(reply.text, /\n/);
      assert.ok(reply.text.length < 500);
      assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
      assert.equal(reply.headers["x-google-status"], undefined);
    });
  }

  // A good one at last: its call must be the only one.
  assert.equal((await postJson(framework.url, accepted)).status, 200);
  await framework.says("called with 1\n");
  assert.deepEqual(framework.stdout.match(/^called.*$/gm), ["called with 1"]);
}

const accepted = { data: {}, context: fields };

test("a cloudevent function is not called with what is no event", (t) =>
  assertRefused(t, "cloudevents", [...forBoth, ...forCloudEvents], accepted));

test("an event function is not called with what is no event", (t) =>
  assertRefused(t, "events", [...forBoth, ...forEvents], accepted));

test("an event function takes no batch", async (t) => {
  const framework = await startFramework(["--target=seen"], { project: "events" });
  t.after(framework.stop);

  for (const batch of ["[]", JSON.stringify([event])]) {
    const reply = await post(framework.url, { "Content-Type": "application/cloudevents-batch+json" }, batch);

    assert.equal(reply.status, 415);
    assert.match(reply.text, /application\/cloudevents-batch\+json/);
  }
});
