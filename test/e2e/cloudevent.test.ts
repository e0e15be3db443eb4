import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  attributes,
  type EventHeaders,
  event,
  post,
  postBinary,
  postStructured,
  structuredType,
} from "./support/events";
import { type Framework, startFramework } from "./support/framework";
import { request } from "./support/http";

const project = "cloudevents";
let framework: Framework;

before(async () => {
  framework = await startFramework(["--target=seen"], { project });
});
after(() => framework.stop());

const json = "application/json";
const binary = (headers: EventHeaders, body?: string) => postBinary(framework.url, headers, body);
const structured = (value: unknown, headers?: EventHeaders) => postStructured(framework.url, value, headers);

test("the signature in the banner is the registered one", () => {
  assert.match(framework.stdout, /^Function: seen\nSignature type: cloudevent$/m);
});

test("binary mode: attributes from the headers in their order, then datacontenttype and data", async () => {
  const reply = await binary({ "ce-myext": "value", "Content-Type": json }, '{"a":1}');

  const { seen, keys } = reply.json();
  assert.equal(reply.status, 200);
  assert.deepEqual(seen, { ...event, myext: "value", datacontenttype: json, data: { a: 1 } });
  assert.deepEqual(keys, ["id", "source", "type", "specversion", "myext", "datacontenttype", "data"]);
});

test("structured mode: the event as it was sent, extensions included", async () => {
  const sent = { ...event, subject: "s", time: "2024-02-29T12:00:00.5+01:00", myext: 7, data: { a: [1] } };

  const reply = await structured(sent);

  assert.equal(reply.status, 200);
  assert.deepEqual(reply.json().seen, sent);
});

test("structured mode under plain application/json, and with a charset", async () => {
  const sent = { ...event, data: "ü" };

  const plain = await structured(sent, { "Content-Type": json });
  const charset = await structured(sent, { "Content-Type": `${structuredType}; charset=utf-8` });

  assert.deepEqual(plain.json().seen, sent);
  assert.deepEqual(charset.json().seen, sent);
});

for (const charset of ["utf-8", "UTF8", "utf-16", "utf-16le"]) {
  test(`JSON in ${charset} is decoded, as an event and as data`, async () => {
    const encode = (value: unknown) =>
      Buffer.from(JSON.stringify(value), charset.startsWith("utf-16") ? "utf16le" : "utf8");
    const headers = (type: string) => ({ "Content-Type": `${type}; charset=${charset}` });

    const structuredReply = await post(
      framework.url,
      headers(structuredType),
      encode({ ...event, data: "ü✓" }),
    );
    const binaryReply = await post(framework.url, { ...attributes, ...headers(json) }, encode("ü✓"));

    assert.equal(structuredReply.json().seen.data, "ü✓");
    assert.equal(binaryReply.json().seen.data, "ü✓");
  });
}

test("with a structured content type the structured mode wins over ce- headers", async () => {
  const reply = await structured(
    { ...event, id: "in the body" },
    { ...attributes, "ce-id": "in the header" },
  );

  assert.equal(reply.json().seen.id, "in the body");
});

const binaryData: [
  title: string,
  type: string | undefined,
  body: string | undefined,
  data: unknown,
  dataIs: string,
][] = [
  ["a JSON object", json, '{"a":1}', { a: 1 }, "object"],
  ["a JSON list", json, "[1]", [1], "object"],
  ["a JSON number", json, "5", 5, "number"],
  ["JSON null", json, "null", null, "null"],
  ["JSON false", json, "false", false, "boolean"],
  ["a JSON text", json, '"text"', "text", "string"],
  ["JSON with a byte order mark", json, "\ufeff5", 5, "number"],
  ["another +json type", "application/vnd.x+json", '{"a":1}', { a: 1 }, "object"],
  ["text", "text/plain", "text", "text", "string"],
  ["HTML", "text/html", "<p>", "<p>", "string"],
  ["XML", "application/xml", "<a/>", "<a/>", "Buffer"],
  ["bytes", "application/octet-stream", "bytes", "bytes", "Buffer"],
  ["a form", "application/x-www-form-urlencoded", "a=1", "a=1", "Buffer"],
  ["bytes without a type", undefined, "bytes", "bytes", "Buffer"],
  ["nothing", undefined, undefined, undefined, "undefined"],
  ["nothing with a type", json, "", undefined, "undefined"],
];

for (const [title, type, body, data, dataIs] of binaryData) {
  test(`data of a binary event: ${title}`, async () => {
    const reply = await binary({ "Content-Type": type }, body);

    const answer = reply.json();
    assert.equal(reply.status, 200);
    assert.equal(answer.dataIs, dataIs);
    assert.deepEqual(answer.seen.data, data);
    assert.equal(answer.seen.datacontenttype, type);
  });
}

test("ce-datacontenttype is kept where it is stated", async () => {
  const reply = await binary({ "ce-datacontenttype": "text/x-own", "Content-Type": json }, "{}");

  assert.equal(reply.json().seen.datacontenttype, "text/x-own");
});

const base64: [title: string, type: string | undefined, bytes: string, data: unknown, dataIs: string][] = [
  ["bytes", "image/png", "bytes", "bytes", "Buffer"],
  ["bytes without a type", undefined, "bytes", "bytes", "Buffer"],
  ["text", "text/plain", "text", "text", "string"],
  ["JSON", json, '{"a":1}', { a: 1 }, "object"],
];

for (const [title, datacontenttype, bytes, data, dataIs] of base64) {
  test(`data_base64 of a structured event is decoded: ${title}`, async () => {
    const reply = await structured({
      ...event,
      datacontenttype,
      data_base64: Buffer.from(bytes).toString("base64"),
    });

    const { seen, keys, dataIs: kind } = reply.json();
    assert.equal(kind, dataIs);
    assert.deepEqual(seen.data, data);
    assert.ok(!keys.includes("data_base64"));
  });
}

for (const data of [0, "", false, null]) {
  test(`data of a structured event that is ${JSON.stringify(data)} is data`, async () => {
    const reply = await structured({ ...event, data });

    assert.equal(reply.json().seen.data, data);
  });
}

test("percent-encoding in header values is decoded, and what is none stays", async () => {
  const reply = await binary({ "ce-subject": "gr%C3%BC%C3%9Fe%20an%25", "ce-myext": "100% sure" });

  const { seen } = reply.json();
  assert.equal(seen.subject, "grüße an%");
  assert.equal(seen.myext, "100% sure");
});

test("a traceparent header is put on the event in both modes", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  const inBinary = await binary({ traceparent, "ce-traceparent": "older" });
  const inStructured = await structured({ ...event, traceparent: "older" }, { traceparent });

  assert.equal(inBinary.json().seen.traceparent, traceparent);
  assert.equal(inStructured.json().seen.traceparent, traceparent);
});

const legacy = {
  eventId: "1",
  timestamp: "2020-09-29T11:32:00.123Z",
  eventType: "google.storage.object.finalize",
  resource: { service: "storage.googleapis.com", name: "projects/my-project/buckets/b/objects/o#7" },
};

test("a legacy event of a known type becomes a CloudEvent, traceparent included", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const bodies = [
    { data: { a: 1 }, context: legacy },
    { data: { a: 1 }, ...legacy },
  ];
  for (const type of [json, structuredType]) {
    for (const body of bodies) {
      const reply = await structured(body, { "Content-Type": type, traceparent });

      assert.deepEqual(reply.json().seen, {
        id: "1",
        source: "//storage.googleapis.com/projects/my-project/buckets/b",
        type: "google.cloud.storage.object.v1.finalized",
        specversion: "1.0",
        subject: "objects/o",
        time: legacy.timestamp,
        datacontenttype: json,
        data: { a: 1 },
        traceparent,
      });
    }
  }
});

test("a CloudEvent is taken as it is, whatever else it carries", async () => {
  const sent = { ...event, eventType: legacy.eventType, context: legacy, data: { message: {} } };

  const inStructured = await structured(sent);
  const inBinary = await binary({ "Content-Type": json }, JSON.stringify({ data: 1, context: legacy }));

  assert.deepEqual(inStructured.json().seen, sent);
  assert.deepEqual(inBinary.json().seen.data, { data: 1, context: legacy });
});

test("a push of Pub/Sub becomes a CloudEvent, its topic told by the path", async () => {
  const message = { messageId: "7", publishTime: "2021-02-05T04:06:14.109Z", attributes: { a: "b" } };
  const push = { subscription: "projects/p/subscriptions/s", message: { ...message, data: "eA==" } };
  const post = (path: string) =>
    request(`${framework.url}${path}`, {
      method: "POST",
      headers: { "Content-Type": json },
      body: JSON.stringify(push),
    });

  const known = await post("/some/projects/p/topics/t?x=y");
  const unknown = await post("/");

  const expected = (topic: string) => ({
    id: "7",
    source: `//pubsub.googleapis.com/${topic}`,
    type: "google.cloud.pubsub.topic.v1.messagePublished",
    specversion: "1.0",
    time: message.publishTime,
    datacontenttype: json,
    data: {
      message: { "@type": "type.googleapis.com/google.pubsub.v1.PubsubMessage", ...message, data: "eA==" },
    },
  });
  assert.deepEqual(known.json().seen, expected("projects/p/topics/t"));
  assert.deepEqual(unknown.json().seen, expected(""));
});

test("fifty events at once are never mixed up", async (t) => {
  const together = await startFramework(["--target=together"], { project });
  t.after(together.stop);
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const traceparentOf = (number: number) => `00-${String(number).padStart(32, "0")}-b7ad6b7169203331-01`;

  const replies = await Promise.all(
    numbers.map((number) => {
      const data = { number, of: numbers.length };
      const headers: Record<string, string> = { traceparent: traceparentOf(number) };
      if (number % 2 === 0) {
        Object.assign(headers, attributes, {
          "ce-id": `id-${number}`,
          "ce-source": `/${number}`,
          "Content-Type": json,
        });
        return request(together.url, { method: "POST", headers, body: JSON.stringify(data) });
      }
      const body = JSON.stringify({ ...event, id: `id-${number}`, source: `/${number}`, data });
      return request(together.url, {
        method: "POST",
        headers: { ...headers, "Content-Type": structuredType },
        body,
      });
    }),
  );

  assert.deepEqual(
    replies.map((reply) => reply.json()),
    numbers.map((number) => ({
      id: `id-${number}`,
      source: `/${number}`,
      number,
      traceparent: traceparentOf(number),
    })),
  );
});

test("an unregistered export is served as a CloudEvents function when the flag says so", async (t) => {
  const exported = await startFramework(["--target=greet", "--signature-type=cloudevent"], {
    project: "cloudevent-export",
  });
  t.after(exported.stop);

  const reply = await request(exported.url, { method: "POST", headers: attributes });

  assert.deepEqual([reply.status, reply.text], [200, "Hello, tested!"]);
});
