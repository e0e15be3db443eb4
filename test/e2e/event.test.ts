import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { attributes, event, post, postBinary, postStructured } from "./support/events";
import { type Framework, startFramework } from "./support/framework";
import { postJson, type Reply, request } from "./support/http";

const project = "events";
const targets = ["seen", "replies", "callback"] as const;
const running = {} as Record<(typeof targets)[number], Framework>;

before(async () => {
  const start = async (target: (typeof targets)[number]) => {
    running[target] = await startFramework([`--target=${target}`], { project });
  };
  await Promise.all(targets.map(start));
});
after(() => Promise.all(targets.map((target) => running[target]?.stop())));

const json = "application/json";
const fields = {
  eventId: "1",
  timestamp: "2020-09-29T11:32:00.123Z",
  eventType: "custom.type",
  resource: "projects/p",
};
const send = (value: unknown, headers?: Record<string, string>) => postJson(running.seen.url, value, headers);

test("the signature in the banner is the registered one", () => {
  assert.match(running.seen.stdout, /^Function: seen\nSignature type: event$/m);
});

test("data and context arrive as they are sent, whatever their type", async () => {
  const datas = [{ a: [1] }, [1], "text", 0, false, null];
  for (const data of datas) {
    const reply = await send({ data, context: { ...fields, own: { more: null } } });

    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json().data, data);
    assert.deepEqual(reply.json().context, { ...fields, own: { more: null } });
  }
});

test("without a context everything but data is the context", async () => {
  const reply = await send({ data: { a: 1 }, ...fields, params: { x: "y" } });

  assert.deepEqual(reply.json(), {
    data: { a: 1 },
    dataIs: "object",
    context: { ...fields, params: { x: "y" } },
  });
});

test("an object that holds no event is one all the same", async () => {
  const [empty, other] = [await send({}), await send({ message: "hello" })];

  assert.deepEqual(empty.json(), { dataIs: "undefined", context: {} });
  assert.deepEqual(other.json(), { dataIs: "undefined", context: { message: "hello" } });
});

test("a binary CloudEvent of an unknown type: its attributes are the context", async () => {
  const withJson = await postBinary(running.seen.url, { "ce-myext": "x", "Content-Type": json }, '{"a":1}');
  const withBytes = await postBinary(running.seen.url, {}, "bytes");

  assert.deepEqual(withJson.json(), {
    data: { a: 1 },
    dataIs: "object",
    context: { ...event, myext: "x", datacontenttype: json },
  });
  assert.deepEqual(withBytes.json(), { data: "bytes", dataIs: "Buffer", context: event });
});

test("a binary CloudEvent of a known type becomes a legacy event", async () => {
  const headers = {
    "ce-type": "google.cloud.firestore.document.v1.created",
    "ce-source": "//firestore.googleapis.com/projects/my-project/databases/eu",
    "ce-subject": "documents/c/d",
    "ce-time": fields.timestamp,
    "Content-Type": json,
  };

  const reply = await postBinary(running.seen.url, headers, '{"value":{}}');

  assert.deepEqual(reply.json(), {
    data: { value: {} },
    dataIs: "object",
    context: {
      eventId: "1",
      timestamp: fields.timestamp,
      eventType: "providers/cloud.firestore/eventTypes/document.create",
      resource: "projects/my-project/databases/eu/documents/c/d",
    },
  });
});

test("a structured CloudEvent is not converted: it is the context, without its data", async () => {
  const sent = { ...event, type: "google.cloud.firestore.document.v1.created", subject: "s" };

  const structured = await postStructured(running.seen.url, { ...sent, data: { a: 1 } });
  const plain = await send({ ...sent, data: { a: 1 } });
  const encoded = await postStructured(running.seen.url, { ...sent, data_base64: "Ynl0ZXM=" });

  for (const reply of [structured, plain])
    assert.deepEqual(reply.json(), { data: { a: 1 }, dataIs: "object", context: sent });
  assert.deepEqual(encoded.json(), { data: "bytes", dataIs: "Buffer", context: sent });
});

const message = { messageId: "7", publishTime: "2021-02-05T04:06:14.109Z", attributes: { a: "b" } };
const push = { subscription: "projects/p/subscriptions/s", message };
const messageType = "type.googleapis.com/google.pubsub.v1.PubsubMessage";

test("a push of Pub/Sub becomes a legacy event, its topic told by the path", async () => {
  const { url } = running.seen;
  const body = { ...push, message: { ...message, data: "eA==" } };

  const known = await postJson(`${url}/projects/p/topics/t?x=y`, body);
  const unknown = await postJson(url, push);
  await running.seen.says("does not tell its topic");

  const resource = { service: "pubsub.googleapis.com", type: messageType };
  const context = { eventId: "7", timestamp: message.publishTime, eventType: "google.pubsub.topic.publish" };
  assert.deepEqual(known.json(), {
    data: { "@type": messageType, data: "eA==", attributes: { a: "b" } },
    dataIs: "object",
    context: { ...context, resource: { ...resource, name: "projects/p/topics/t" } },
  });
  assert.deepEqual(unknown.json(), {
    data: { "@type": messageType, attributes: { a: "b" } },
    dataIs: "object",
    context: { ...context, resource: { ...resource, name: null } },
  });
});

test("another method than POST is 405 with Allow", async () => {
  for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const reply = await request(running.seen.url, { method, headers: attributes });

    assert.deepEqual([reply.status, reply.headers.allow], [405, "POST"], method);
  }
});

const answers: [reply: string, status: number, type: string | undefined, text: string][] = [
  ["undefined", 204, undefined, ""],
  ["null", 204, undefined, ""],
  ["text", 200, "text/html; charset=utf-8", "text"],
  ["number", 200, "application/json; charset=utf-8", "0"],
  ["promise", 200, "application/json; charset=utf-8", '{"later":true}'],
  ["event", 200, "application/json; charset=utf-8", '{"a":1}'],
];

for (const [reply, status, type, text] of answers) {
  test(`a returned value is the reply: ${reply}`, async () => {
    const answer = await postJson(running.replies.url, { data: { reply } });

    assert.deepEqual([answer.status, answer.headers["content-type"], answer.text], [status, type, text]);
    assert.equal(answer.headers["ce-id"], reply === "event" ? "2" : undefined);
  });
}

function assertError(reply: Reply, text: RegExp): void {
  assert.equal(reply.status, 500);
  assert.match(reply.text, text);
  assert.equal(reply.headers["x-google-status"], "error");
  assert.equal(reply.headers["x-openfunction-status"], "error");
}

const failures: [reply: string, text: RegExp][] = [
  ["throws", /^no luck$/],
  ["rejects-null", /^null$/],
  ["bigint", /BigInt/],
  ["timer", /^in a timer$/],
];

for (const [reply, text] of failures) {
  test(`500 error, and the process serves on: ${reply}`, async () => {
    const failed = await postJson(running.replies.url, { data: { reply } });
    const next = await postJson(running.replies.url, { data: { reply: "text" } });

    assertError(failed, text);
    assert.equal(next.text, "text");
  });
}

const endings: [ending: string, status: number, text: string][] = [
  ["nothing", 204, ""],
  ["value", 200, '{"a":1}'],
  ["later", 200, "later"],
  ["twice", 200, "first"],
  ["async-returns", 200, "by the promise"],
];

for (const [ending, status, text] of endings) {
  test(`a callback ends the call: ${ending}`, async () => {
    const reply = await postJson(running.callback.url, { data: { ending } });

    assert.deepEqual([reply.status, reply.text], [status, text]);
  });
}

for (const [ending, text] of [
  ["error", /^given to the callback$/],
  ["throws", /^thrown at once$/],
  ["async-throws", /^thrown in a promise$/],
] as const) {
  test(`a callback-style function fails: ${ending}`, async () => {
    assertError(await postJson(running.callback.url, { data: { ending } }), text);
  });
}

test("an unregistered export is served as an event function when the flag says so, with two arguments", async (t) => {
  const exported = await startFramework(["--target=count", "--signature-type=event"], { project });
  t.after(exported.stop);

  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  for (const data of ["1", deep]) {
    const reply = await post(exported.url, { "Content-Type": json }, `{"data":${data}}`);

    assert.deepEqual([reply.status, reply.text], [200, "2"]);
  }
});
