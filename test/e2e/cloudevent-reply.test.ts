import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { type Framework, startFramework } from "./support/framework";
import { type Reply, request } from "./support/http";

const project = "cloudevents";
let replies: Framework;
let callback: Framework;

before(async () => {
  [replies, callback] = await Promise.all([
    startFramework(["--target=replies"], { project }),
    startFramework(["--target=callback"], { project }),
  ]);
});
after(() => Promise.all([replies.stop(), callback.stop()]));

/** Sends an event of a type: the fixture's functions choose by it. */
function send({ url }: Framework, type: string): Promise<Reply> {
  const headers = { "ce-id": "1", "ce-source": "/test", "ce-type": type, "ce-specversion": "1.0" };
  return request(url, { method: "POST", headers });
}

const html = "text/html; charset=utf-8";
const json = "application/json; charset=utf-8";

const answers: [type: string, contentType: string | undefined, text: string][] = [
  ["text", html, "text"],
  ["empty", html, ""],
  ["number", json, "3.5"],
  ["zero", json, "0"],
  ["true", json, "true"],
  ["false", json, "false"],
  ["object", json, '{"a":1}'],
  ["list", json, "[1]"],
  ["buffer", "application/octet-stream", "bytes"],
  ["promise", json, '{"later":true}'],
];

for (const [type, contentType, text] of answers) {
  test(`a returned value is the reply: ${type}`, async () => {
    const reply = await send(replies, type);

    assert.equal(reply.status, 200);
    assert.equal(reply.headers["content-type"], contentType);
    assert.equal(reply.text, text);
  });
}

for (const type of ["undefined", "null"]) {
  test(`${type} is 204`, async () => {
    const reply = await send(replies, type);

    assert.equal(reply.status, 204);
    assert.equal(reply.text, "");
  });
}

test("a returned CloudEvent goes out in binary mode", async () => {
  const { status, headers, text } = await send(replies, "event");

  const attributes = Object.entries(headers).filter(([name]) => name.startsWith("ce-"));
  assert.equal(status, 200);
  assert.deepEqual(Object.fromEntries(attributes), {
    "ce-id": "2",
    "ce-source": "/me",
    "ce-type": "made",
    "ce-specversion": "1.0",
    "ce-subject": "%C3%BC%20%22x%22%205%25",
    "ce-myext": "7",
  });
  assert.equal(headers["content-type"], "application/vnd.made+json");
  assert.equal(text, '{"a":1}');
});

test("half of a surrogate pair in an attribute goes out as U+FFFD", async () => {
  const { status, headers } = await send(replies, "event-halves");

  assert.deepEqual([status, headers["ce-halves"]], [200, "%EF%BF%BDa%EF%BF%BD%20%F0%9F%98%80"]);
});

const events: [type: string, contentType: string | undefined, text: string][] = [
  ["event-text", "text/plain", "text"],
  ["event-bytes", "image/png", "img"],
  ["event-base64", "image/png", "img"],
  ["event-empty", undefined, ""],
  ["event-of-sdk", json, '{"a":1}'],
  ["event-of-sdk-bytes", "image/png", "i"],
];

for (const [type, contentType, text] of events) {
  test(`the body of a returned CloudEvent is its data, under its own type: ${type}`, async () => {
    const { status, headers, text: body } = await send(replies, type);

    assert.equal(status, 200);
    assert.equal(headers["ce-id"], "2");
    assert.equal(headers["content-type"], contentType);
    assert.equal(body, text);
    assert.equal(headers["ce-data"], undefined);
    assert.equal(headers["ce-data_base64"], undefined);
  });
}

const failures: [type: string, text: RegExp][] = [
  ["throws", /^no luck$/],
  ["throws-null", /^null$/],
  ["rejects", /^rejected$/],
  ["rejects-null", /^null$/],
  ["rejects-undefined", /^undefined$/],
  ["timer", /^in a timer$/],
  ["unhandled", /^nobody waits$/],
  ["bigint", /BigInt/],
  ["circular", /circular/],
];

for (const [type, text] of failures) {
  test(`500 error, and the process serves on: ${type}`, async () => {
    const reply = await send(replies, type);
    const next = await send(replies, "text");

    assertError(reply, text);
    assert.equal(next.text, "text");
  });
}

test("production hides the message of an error", async (t) => {
  const production = await startFramework(["--target=replies"], { project, env: { NODE_ENV: "production" } });
  t.after(production.stop);

  const reply = await send(production, "throws");

  assertError(reply, /^Internal Server Error \(id [a-z0-9]{12}\)$/);
});

const called: [type: string, status: number, text: string][] = [
  ["nothing", 204, ""],
  ["null", 204, ""],
  ["value", 200, '{"a":1}'],
  ["later", 200, "later"],
  ["twice", 200, "first"],
  ["async-returns", 200, "by the promise"],
];

for (const [type, status, text] of called) {
  test(`a callback-style function answers: ${type}`, async () => {
    const reply = await send(callback, type);

    assert.equal(reply.status, status);
    assert.equal(reply.text, text);
  });
}

const callbackFailures: [type: string, text: RegExp][] = [
  ["error", /^given to the callback$/],
  ["text-error", /^a bare text$/],
  ["throws", /^thrown at once$/],
  ["async-throws", /^thrown in a promise$/],
  ["timer", /^in a timer$/],
];

for (const [type, text] of callbackFailures) {
  test(`a callback-style function fails with 500 error: ${type}`, async () => {
    const reply = await send(callback, type);
    const next = await send(callback, "nothing");

    assertError(reply, text);
    assert.equal(next.status, 204);
  });
}

function assertError({ status, headers, text }: Reply, message: RegExp): void {
  assert.equal(status, 500);
  assert.match(text, message);
  assert.equal(headers["x-google-status"], "error");
  assert.equal(headers["x-openfunction-status"], "error");
  assert.equal(headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(headers["x-content-type-options"], "nosniff");
}
