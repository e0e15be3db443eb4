import assert from "node:assert/strict";
import { test } from "node:test";

import { attributes, event, post, postBinary, postStructured, structuredType } from "./support/events";
import { type Framework, startFramework } from "./support/framework";
import { type Reply, request } from "./support/http";

const json = "application/json";

interface Refusal {
  title: string;
  says: string | RegExp;
  send: (url: string) => Promise<Reply>;
}

const required = ["id", "source", "type", "specversion"];
const wrongTexts = [7, null, true, ["1"], {}];
const badTimes = ["", "yesterday", "2024-02-29", "2024-02-29T12:00:00", "2024-02-30T25:00:00Z", "1709208000"];

const refusals: Refusal[] = [
  ...required.flatMap((name): Refusal[] => [
    {
      title: `binary without ce-${name}`,
      says: name,
      send: (url) => postBinary(url, { [`ce-${name}`]: undefined }),
    },
    {
      title: `binary with an empty ce-${name}`,
      says: name,
      send: (url) => postBinary(url, { [`ce-${name}`]: "" }),
    },
    {
      title: `binary with nothing but ce-${name}`,
      says: name === "id" ? "source" : "id",
      send: (url) => post(url, { [`ce-${name}`]: name === "specversion" ? "1.0" : "x" }),
    },
    {
      title: `structured without ${name}`,
      says: name,
      send: (url) => postStructured(url, { ...event, [name]: undefined }),
    },
    {
      title: `structured with an empty ${name}`,
      says: name,
      send: (url) => postStructured(url, { ...event, [name]: "" }),
    },
    ...wrongTexts.map(
      (value): Refusal => ({
        title: `structured with ${name} ${JSON.stringify(value)}`,
        says: name,
        send: (url) => postStructured(url, { ...event, [name]: value }),
      }),
    ),
  ]),
  {
    title: "binary with specversion 9.9",
    says: "specversion",
    send: (url) => postBinary(url, { "ce-specversion": "9.9" }),
  },
  {
    title: "binary with specversion 0.3",
    says: "specversion",
    send: (url) => postBinary(url, { "ce-specversion": "0.3" }),
  },
  {
    title: "structured with specversion 9.9",
    says: "specversion",
    send: (url) => postStructured(url, { ...event, specversion: "9.9" }),
  },
  ...badTimes.map(
    (time): Refusal => ({
      title: `structured with time "${time}"`,
      says: "time",
      send: (url) => postStructured(url, { ...event, time }),
    }),
  ),
  {
    title: "binary with a time that is none",
    says: "time",
    send: (url) => postBinary(url, { "ce-time": "soon" }),
  },
  {
    title: "structured with an empty subject",
    says: "subject",
    send: (url) => postStructured(url, { ...event, subject: "" }),
  },
  {
    title: "structured with a number as dataschema",
    says: "dataschema",
    send: (url) => postStructured(url, { ...event, dataschema: 1 }),
  },
  { title: "an empty object", says: "id", send: (url) => postStructured(url, {}) },
  { title: "a list", says: "id", send: (url) => postStructured(url, [event]) },
  { title: "a JSON text", says: "id", send: (url) => postStructured(url, "event") },
  {
    title: "structured without a body",
    says: "id",
    send: (url) => post(url, { "Content-Type": structuredType }),
  },
  {
    title: "structured, malformed",
    says: /broken JSON/,
    send: (url) => post(url, { "Content-Type": structuredType }, '{"id":'),
  },
  {
    title: "binary, malformed JSON",
    says: /broken JSON/,
    send: (url) => postBinary(url, { "Content-Type": json }, '{"a":'),
  },
  {
    title: "JSON that is no event",
    says: "id",
    send: (url) => postStructured(url, { message: "hello" }, { "Content-Type": json }),
  },
  {
    title: "a form",
    says: "id",
    send: (url) => post(url, { "Content-Type": "application/x-www-form-urlencoded" }, "id=1"),
  },
  { title: "a text", says: "id", send: (url) => post(url, { "Content-Type": "text/plain" }, "id") },
  { title: "nothing at all", says: "id", send: (url) => post(url, {}) },
];

test("an invalid event is 400 naming the attribute, and the function is not called", async (t) => {
  const framework = await startFramework(["--target=seen"], { project: "cloudevents" });
  t.after(framework.stop);

  for (const { title, says, send } of refusals) {
    await t.test(title, async () => {
      const reply = await send(framework.url);

      assert.equal(reply.status, 400);
      assert.match(
        reply.text,
        typeof says === "string" ? new RegExp(`^Not a valid CloudEvent: "${says}" `) : says,
      );
      assert.doesNotMatch(reply.text, /\n/);
      assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
      assert.equal(reply.headers["x-content-type-options"], "nosniff");
      assert.equal(reply.headers["x-google-status"], undefined);
      assert.equal(reply.headers["x-openfunction-status"], undefined);
    });
  }

  await assertNeverCalled(framework);
});

test("JSON in a charset that is none for JSON is 415", async (t) => {
  const framework = await startFramework(["--target=seen"], { project: "cloudevents" });
  t.after(framework.stop);
  const rows: [type: string, headers: Record<string, string>, body: string][] = [
    [structuredType, {}, JSON.stringify(event)],
    ["application/cloudevents-batch+json", {}, JSON.stringify([event])],
    [json, {}, JSON.stringify(event)],
    [json, attributes, '{"a":1}'],
    ["application/vnd.x+json", attributes, '{"a":1}'],
  ];

  for (const charset of [
    "iso-8859-1",
    "latin1",
    "windows-1252",
    "us-ascii",
    "utf-7",
    "utf-32",
    "x-klingon",
  ]) {
    for (const [type, headers, body] of rows) {
      const reply = await post(
        framework.url,
        { ...headers, "Content-Type": `${type}; charset=${charset}` },
        body,
      );

      assert.equal(reply.status, 415, `${type} ${charset}`);
      assert.equal(reply.text, `The charset "${charset}" is not supported.`);
    }
  }

  await assertNeverCalled(framework);
});

test("another method than POST is 405 with Allow, and the function is not called", async (t) => {
  const framework = await startFramework(["--target=seen"], { project: "cloudevents" });
  t.after(framework.stop);

  for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    await t.test(method, async () => {
      const reply = await request(framework.url, { method, headers: attributes });

      assert.equal(reply.status, 405);
      assert.equal(reply.headers.allow, "POST");
      assert.equal(reply.headers["x-google-status"], undefined);
    });
  }

  await assertNeverCalled(framework);
});

/** A valid event at last: its call must be the only one. */
async function assertNeverCalled(framework: Framework): Promise<void> {
  const id = "the first valid one";
  await postBinary(framework.url, { "ce-id": id });
  await framework.says(`called with ${id}\n`);
  assert.deepEqual(framework.stdout.match(/^called.*$/gm), [`called with ${id}`]);
}
