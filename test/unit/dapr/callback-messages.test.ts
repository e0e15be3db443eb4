/** Our reader and writer of Dapr's messages against protobuf-es with the descriptors of @dapr/dapr. */
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { test } from "node:test";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as callback from "@dapr/dapr/proto/dapr/proto/runtime/v1/appcallback_pb";

import { isFrameworkError } from "../../../src/core/errors";
import {
  writeBindingReply,
  writeBindings,
  writeBulkStatuses,
  writeSubscriptions,
  writeTopicStatus,
} from "../../../src/dapr/callback-replies";
import { readBindingEvent, readBulkTopicEvent, readTopicEvent } from "../../../src/dapr/callback-requests";
import { Reader } from "../../../src/dapr/protobuf";

const long = "long ".repeat(100_000);
const extensions = {
  time: "2026-01-02T03:04:05Z",
  empty: "",
  "ключ ✓": "значение 🎉",
  number: -1.5,
  large: 2 ** 53,
  tiny: 5e-324,
  yes: true,
  no: false,
  nothing: null,
  deep: { list: [1, "two", [null, {}], { three: [] }] },
};

function encode(schema: Parameters<typeof create>[0], fields: object): Buffer {
  return Buffer.from(toBinary(schema, create(schema, fields as never)));
}

test("a topic event is read whole, whatever is in its fields", () => {
  const data = randomBytes(70_000);
  const fields = { id: "1", source: "/ü", type: long, specVersion: "1.0", dataContentType: "a/b" };
  const bytes = encode(callback.TopicEventRequestSchema, {
    ...fields,
    data,
    topic: "t",
    pubsubName: "p",
    path: "/x",
    extensions,
  });

  const event = readTopicEvent(bytes);

  assert.deepEqual(event, { ...fields, data, topic: "t", pubsub: "p", path: "/x", extensions });
});

test("a message without fields is one with empty fields", () => {
  const nothing = Buffer.alloc(0);

  assert.equal(readTopicEvent(nothing).data.length, 0);
  assert.deepEqual(readTopicEvent(nothing).extensions, {});
  assert.deepEqual(readBindingEvent(nothing), { name: "", data: nothing, metadata: {} });
  assert.deepEqual(readBulkTopicEvent(nothing).entries, []);
});

test("a bulk has entries of bytes and of events", () => {
  const event = { id: "7", source: "s", type: "t", specVersion: "1.0", dataContentType: "text/plain" };
  const data = Buffer.from("x");
  const bytes = encode(callback.TopicEventBulkRequestSchema, {
    id: "bulk",
    type: "com.dapr.event.sent.bulk",
    topic: "t",
    pubsubName: "p",
    path: "/x",
    metadata: { A: "1", "": "", ["__proto__"]: "own" },
    entries: [
      {
        entryId: "a",
        event: { case: "bytes", value: data },
        contentType: "text/plain",
        metadata: { k: "v" },
      },
      { entryId: "b", event: { case: "cloudEvent", value: { ...event, data, extensions } } },
    ],
  });

  const bulk = readBulkTopicEvent(bytes);

  assert.deepEqual([bulk.topic, bulk.pubsub, bulk.path], ["t", "p", "/x"]);
  assert.deepEqual(Object.entries(bulk.metadata).sort(), [
    ["", ""],
    ["A", "1"],
    ["__proto__", "own"],
  ]);
  assert.deepEqual(bulk.entries, [
    { entryId: "a", event: data, contentType: "text/plain", metadata: { k: "v" } },
    { entryId: "b", event: { ...event, data, extensions }, contentType: "", metadata: {} },
  ]);
});

test("unknown fields of every wire type are skipped", () => {
  const known = encode(callback.BindingEventRequestSchema, { name: "in", data: Buffer.from("x") });
  const unknown = Buffer.from([
    ...[0x98, 0x06, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // field 99, varint -1
    ...[0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], // fixed64
    ...[0x9a, 0x06, 2, 0xff, 0xfe], // bytes
    ...[0x9b, 0x06, 0x08, 1, 0x9b, 0x06, 0x9c, 0x06, 0x9c, 0x06], // a group in a group
    ...[0x9d, 0x06, 1, 2, 3, 4], // fixed32
    ...[0x08, 5], // field 1 as a number: not the name
  ]);

  const event = readBindingEvent(Buffer.concat([unknown, known, unknown]));

  assert.deepEqual(event, { name: "in", data: Buffer.from("x"), metadata: {} });
});

test("broken bytes are FF_BODY_MALFORMED, and never a hang or another error", () => {
  const whole = encode(callback.TopicEventBulkRequestSchema, {
    metadata: { a: "b" },
    entries: [{ entryId: "1", event: { case: "cloudEvent", value: { id: "1", extensions } } }],
  });
  const read = (bytes: Buffer) => {
    for (const reader of [readBulkTopicEvent, readTopicEvent, readBindingEvent]) {
      try {
        reader(bytes);
      } catch (err) {
        if (!isFrameworkError(err) || err.code !== "FF_BODY_MALFORMED") throw err;
      }
    }
  };

  for (let end = 0; end < whole.length; end++) read(whole.subarray(0, end));
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(whole);
    for (let flips = randomInt(1, 4); flips > 0; flips--) bytes[randomInt(bytes.length)] = randomInt(256);
    read(bytes);
    read(randomBytes(randomInt(40)));
  }
});

test("what is nested without end is refused before the stack is full", () => {
  let value = Buffer.alloc(0);
  const wrap = (tag: number, inner: Buffer) => {
    const length: number[] = [];
    for (let rest = inner.length; ; rest >>>= 7) {
      if (rest < 128) {
        length.push(rest);
        break;
      }
      length.push((rest & 127) | 128);
    }
    return Buffer.concat([Buffer.from([tag, ...length]), inner]);
  };
  for (let depth = 0; depth < 2_000; depth++) value = wrap(0x32, wrap(0x0a, value)); // a list in a list
  const struct = wrap(0x0a, Buffer.concat([wrap(0x0a, Buffer.from("k")), wrap(0x12, value)]));
  const groups = Buffer.alloc(200_000, 0x9b).map((byte, index) => (index % 2 === 0 ? byte : 0x06));

  assert.throws(() => readTopicEvent(wrap(0x52, struct)), { code: "FF_BODY_MALFORMED" });
  assert.throws(() => readTopicEvent(Buffer.from(groups)), { code: "FF_BODY_MALFORMED" });
});

test("answers are read by others as they were written", () => {
  const subscriptions = [
    {
      pubsubname: "p",
      topic: "t/ü",
      route: "/dapr/events/p/t",
      metadata: { rawPayload: "true", empty: "" },
      deadLetterTopic: "dead",
      bulkSubscribe: { enabled: true, maxMessagesCount: 300, maxAwaitDurationMs: 70_000 },
    },
    { pubsubname: "q", topic: "u", route: "/r" },
    {
      ...{ pubsubname: "r", topic: "v" },
      routes: { rules: [{ match: 'event.type == "a"', path: "/a" }], default: "/rest" },
    },
    { pubsubname: "r", topic: "w", routes: { rules: [{ match: "true", path: "/b" }] } },
  ];
  const { subscriptions: read } = fromBinary(
    callback.ListTopicSubscriptionsResponseSchema,
    writeSubscriptions(subscriptions),
  );
  const bulk = fromBinary(
    callback.TopicEventBulkResponseSchema,
    writeBulkStatuses([
      { entryId: "a", status: "SUCCESS" },
      { entryId: "", status: "RETRY" },
      { entryId: long, status: "DROP" },
    ]),
  );
  const [first, second, ruled, strict] = read;

  assert.deepEqual(
    [first?.pubsubName, first?.topic, first?.metadata, first?.routes?.default, first?.routes?.rules],
    ["p", "t/ü", { rawPayload: "true", empty: "" }, "/dapr/events/p/t", []],
  );
  assert.deepEqual(
    [first?.deadLetterTopic, first?.bulkSubscribe?.enabled, first?.bulkSubscribe?.maxMessagesCount],
    ["dead", true, 300],
  );
  assert.equal(first?.bulkSubscribe?.maxAwaitDurationMs, 70_000);
  assert.deepEqual([second?.routes?.default, second?.bulkSubscribe], ["/r", undefined]);
  assert.deepEqual(
    [ruled, strict].map((one) => [
      one?.routes?.rules.map(({ match, path }) => [match, path]),
      one?.routes?.default,
    ]),
    [
      [[['event.type == "a"', "/a"]], "/rest"],
      [[["true", "/b"]], ""],
    ],
  );
  assert.deepEqual(
    bulk.statuses.map(({ entryId, status }) => [entryId, status]),
    [
      ["a", 0],
      ["", 1],
      [long, 2],
    ],
  );
  assert.deepEqual(fromBinary(callback.ListInputBindingsResponseSchema, writeBindings(["a", "b"])).bindings, [
    "a",
    "b",
  ]);
  const { TopicEventResponseSchema: status, BindingEventResponseSchema: reply } = callback;
  assert.deepEqual(
    (["SUCCESS", "RETRY", "DROP"] as const).map((word) => fromBinary(status, writeTopicStatus(word)).status),
    [0, 1, 2],
  );
  assert.equal(Buffer.from(fromBinary(reply, writeBindingReply("ü")).data).toString(), "ü");
  assert.equal(fromBinary(reply, writeBindingReply(undefined)).data.length, 0);
});

test("a number of ten bytes is read to its end", () => {
  const reader = new Reader(Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x7f]));

  assert.equal(reader.varint(), 2 ** 63);
  assert.equal(reader.varint(), 127);
});
