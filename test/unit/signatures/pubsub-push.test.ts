import assert from "node:assert/strict";
import { test } from "node:test";

import { isPubSubPush, readPubSubPush } from "../../../src/signatures/pubsub-push";

const message = {
  messageId: "7",
  publishTime: "2021-02-05T04:06:14.109Z",
  data: "eA==",
  attributes: { a: "b" },
};
const push = { subscription: "projects/p/subscriptions/s", message };
const messageType = "type.googleapis.com/google.pubsub.v1.PubsubMessage";

const pushes: [title: string, body: Record<string, unknown>, is: boolean][] = [
  ["a message with data and attributes", push, true],
  ["data alone", { ...push, message: { messageId: "7", data: "" } }, true],
  ["attributes alone", { ...push, message: { messageId: "7", attributes: {} } }, true],
  ["neither data nor attributes", { ...push, message: { messageId: "7" } }, false],
  ["no subscription", { message }, false],
  ["a subscription that is no text", { ...push, subscription: 7 }, false],
  ["no message", { subscription: "s" }, false],
  ["a message that is null", { ...push, message: null }, false],
  ["a message that is a list", { ...push, message: [message] }, false],
  ["no message id", { ...push, message: { data: "eA==" } }, false],
  ["a message id that is no text", { ...push, message: { ...message, messageId: 7 } }, false],
  ["data that is no text", { ...push, message: { messageId: "7", data: {} } }, false],
  ["a context beside it", { ...push, context: {} }, false],
  ["a CloudEvent", { ...push, specversion: "1.0" }, false],
];

for (const [title, body, is] of pushes) {
  test(`${title}: ${is ? "a push" : "no push"}`, () => assert.equal(isPubSubPush(body), is));
}

test("a push becomes a legacy event", () => {
  const { data, context } = readPubSubPush(push, "/projects/p/topics/t");

  assert.deepEqual(data, { "@type": messageType, data: "eA==", attributes: { a: "b" } });
  assert.deepEqual(context, {
    eventId: "7",
    timestamp: message.publishTime,
    eventType: "google.pubsub.topic.publish",
    resource: { service: "pubsub.googleapis.com", name: "projects/p/topics/t", type: messageType },
  });
});

test("what a message leaves out: no data, empty attributes, the time of its arrival", () => {
  const before = Date.now();

  const bare = readPubSubPush({ ...push, message: { messageId: "7", attributes: { a: "b" } } }, "/");
  const { data } = readPubSubPush({ ...push, message: { messageId: "7", data: "eA==" } }, "/");

  const arrived = Date.parse(String(bare.context.timestamp));
  assert.ok(before <= arrived && arrived <= Date.now());
  assert.deepEqual(bare.data, { "@type": messageType, attributes: { a: "b" } });
  assert.deepEqual(data.attributes, {});
});

const paths: [path: string, topic: string | null][] = [
  ["/projects/p/topics/t", "projects/p/topics/t"],
  ["/some/where/projects/my-project/topics/my.topic~1/and/more", "projects/my-project/topics/my.topic~1"],
  ["/projects%2Fp%2Ftopics%2Ft", "projects/p/topics/t"],
  ["/projects/p/topics/a%25b", "projects/p/topics/a%b"],
  ["/projects/p/topics/", null],
  ["/projects/topics/t", null],
  ["/myprojects/p/topics/t", null],
  ["/%", null],
  ["/", null],
];

for (const [path, topic] of paths) {
  test(`the topic of ${path} is ${topic}`, () => {
    const { resource } = readPubSubPush(push, path).context;

    assert.equal((resource as { name: unknown }).name, topic);
  });
}

test("a time that is none is refused", () => {
  for (const publishTime of ["soon", "", 7, {}, "2021-02-30T25:00:00Z"]) {
    assert.throws(() => readPubSubPush({ ...push, message: { ...message, publishTime } }, "/"), {
      code: "FF_EVENT_LEGACY_INVALID",
      status: 400,
      message: /"message\.publishTime" must be an RFC 3339 timestamp/,
    });
  }
});
