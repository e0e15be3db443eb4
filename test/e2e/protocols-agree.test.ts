/** The same message over HTTP and over gRPC: the function cannot tell which of them brought it. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { Sidecar, status } from "../support/grpc";
import { request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

const path = announcedRoute("stream", "invoices/created");

// All that a function sees, one line a message. Bytes and undefined have a form of their own.
const mirror = `
  const show = (key, value) => {
    if (value === undefined) return { is: "undefined" };
    if (value?.type === "Buffer") return { bytes: Buffer.from(value.data).toString("hex") };
    return value;
  };
  const bodyOf = (bytes) => { try { return JSON.parse(bytes); } catch { return bytes; } };
  let count = 0;
  exports.handle = (ctx, data) => {
    const { name, version, runtime, inputs, outputs, event, input, locals, req, res, rawBody } = ctx;
    const seen = { data, name, version, runtime, inputs, outputs, event, input: { ...input, metadata: input.metadata },
      locals, req, res, rawBody: bodyOf(rawBody), aborted: ctx.signal.aborted, id: typeof ctx.id, keys: Object.keys(ctx).sort() };
    console.log("seen " + ++count + " " + JSON.stringify(seen, show));
  };`;

async function start(t: TestContext) {
  const framework = await startModule(t, mirror, ["--target=handle"], {
    env: { ...asyncContext(), APP_PROTOCOL: "grpc" },
  });
  const sidecar = new Sidecar(`127.0.0.1:${framework.port}`);
  t.after(() => sidecar.close());
  const seen = () =>
    [...framework.stdout.matchAll(/^seen \d+ (.*)$/gm)].map(([, text]) => JSON.parse(text as string));

  return {
    async overHttp(where: string, headers: Record<string, string>, body: string | Buffer) {
      const reply = await request(framework.url + where, { method: "POST", headers, body });
      assert.equal(reply.status, 200);
    },
    async overGrpc(method: string, message: object, metadata: Record<string, string> = {}) {
      const { code, details } = await sidecar.call(method, message, { metadata });
      assert.equal(code, status.OK, details);
    },
    /** What the function saw of the last two of so many messages. */
    async lastTwo(count: number) {
      await framework.says(`seen ${count} `);
      return seen().slice(-2);
    },
  };
}

const bindings: { what: string; data: Buffer | string; metadata?: Record<string, string> }[] = [
  { what: "an object", data: '{"a":[1,"ü"]}', metadata: { Topic: "t/1", "message-Id": "7" } },
  { what: "a number", data: "0" },
  { what: "null", data: "null" },
  { what: "text", data: "plain ü" },
  { what: "text that begins as JSON", data: "{broken" },
  { what: "bytes", data: Buffer.from([0xff, 0, 1]) },
  { what: "nothing (cron)", data: "" },
  { what: "text with a byte order mark", data: "\uFEFFx" },
  {
    what: "an event of a traced function in Go",
    data: JSON.stringify({
      specversion: "1.0",
      type: "io.openfunction.function.sent",
      id: "9",
      source: "go",
      data: { metadata: {}, userData: Buffer.from('{"inner":1}').toString("base64") },
    }),
  },
];

test("a binding's message gives the same ctx over HTTP and over gRPC", async (t) => {
  const { overHttp, overGrpc, lastTwo } = await start(t);
  let count = 0;

  for (const { what, data, metadata = {} } of bindings) {
    await overHttp("/queue", { "Content-Type": "application/json", ...metadata }, data);
    await overGrpc("OnBindingEvent", { name: "queue", data: Buffer.from(data), metadata });
    count += 2;

    const [http, grpc] = await lastTwo(count);
    assert.deepEqual(grpc, http, what);
  }
});

const attributes = { id: "0b5c", source: "shop", type: "com.dapr.event.sent", specversion: "1.0" };
const daprs = {
  time: "2026-01-02T03:04:05Z",
  topic: "invoices/created",
  pubsubname: "stream",
  traceid: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  tracestate: "",
};

interface EventRow {
  what: string;
  /** The event as it is stored in the broker. */
  event: Record<string, unknown>;
  /** What daprd makes of its data for gRPC. */
  data: Buffer | string;
}

const events: EventRow[] = [
  {
    what: "JSON",
    event: { datacontenttype: "application/json", data: { a: [1, "ü"] } },
    data: '{"a":[1,"ü"]}',
  },
  {
    what: "JSON with a charset",
    event: { datacontenttype: "application/json; charset=utf-8", data: 1 },
    data: "1",
  },
  { what: "0", event: { datacontenttype: "application/json", data: 0 }, data: "0" },
  { what: "false", event: { datacontenttype: "application/json", data: false }, data: "false" },
  {
    what: "a JSON text",
    event: { datacontenttype: "application/json", data: "no { json" },
    data: '"no { json"',
  },
  {
    what: "text",
    event: { datacontenttype: "text/plain", data: '{"not":"parsed"}' },
    data: '{"not":"parsed"}',
  },
  { what: "an empty text", event: { datacontenttype: "text/plain", data: "" }, data: "" },
  { what: "XML", event: { datacontenttype: "application/xml", data: "<a>ü</a>" }, data: "<a>ü</a>" },
  {
    what: "bytes",
    event: { datacontenttype: "application/octet-stream", data_base64: "/wAB" },
    data: Buffer.from([255, 0, 1]),
  },
  { what: "no bytes", event: { datacontenttype: "application/octet-stream", data_base64: "" }, data: "" },
  {
    what: "an image",
    event: { datacontenttype: "image/png", data_base64: "iVBORw==" },
    data: Buffer.from("iVBORw==", "base64"),
  },
  {
    what: "broken JSON in bytes",
    event: { datacontenttype: "application/json", data_base64: "e2E=" },
    data: "{a",
  },
  { what: "no data", event: { datacontenttype: "application/json" }, data: "" },
  { what: "no content type", event: { data: { a: 1 } }, data: '{"a":1}' },
  {
    what: "attributes of every kind",
    event: {
      datacontenttype: "application/json",
      data: 1,
      subject: "s",
      mine: true,
      count: 2,
      none: null,
      deep: { a: [1] },
    },
    data: "1",
  },
  {
    what: "an event of a traced function in Go",
    event: {
      ...{ type: "io.openfunction.function.sent", datacontenttype: "application/json" },
      data: { metadata: {}, userData: Buffer.from("inner").toString("base64") },
    },
    data: JSON.stringify({ metadata: {}, userData: Buffer.from("inner").toString("base64") }),
  },
];

for (const caller of ["daprd", "dapr-proxy"]) {
  test(`an event that ${caller} delivers gives the same ctx over HTTP and over gRPC`, async (t) => {
    const { overHttp, overGrpc, lastTwo } = await start(t);
    const isDaprd = caller === "daprd";
    const metadata = isDaprd ? { ttlinseconds: "60", "x-key": "ä" } : {};
    let count = 0;

    for (const row of events) {
      const { datacontenttype, data, data_base64, ...rest } = row.event;
      const { id, source, type, specversion, ...extensions } = { ...attributes, ...daprs, ...rest } as Record<
        string,
        unknown
      >;
      const stored = { ...attributes, ...daprs, ...row.event };
      const sent = Object.fromEntries(
        Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value).toString("latin1")]),
      );
      await overHttp(
        isDaprd ? path : "/invoices/created",
        { "Content-Type": "application/cloudevents+json", pubsubname: "stream", ...sent },
        JSON.stringify(stored),
      );
      await overGrpc(
        "OnTopicEvent",
        {
          ...{ id, source, type, specVersion: specversion, dataContentType: datacontenttype ?? "" },
          ...{ data: Buffer.from(row.data), topic: "invoices/created", pubsubName: "stream", extensions },
          path: isDaprd ? path : "invoices/created",
        },
        Object.fromEntries(Object.keys(metadata).map((name) => [name, name === "x-key" ? "a" : "60"])),
      );
      count += 2;

      const [http, grpc] = await lastTwo(count);
      if (isDaprd) http.input.metadata["x-key"] = "a"; // grpc-js sends ASCII only
      assert.deepEqual(grpc, http, row.what);
    }
  });
}

test("a raw JSON object, which is no event, is the data over both", async (t) => {
  const { overHttp, overGrpc, lastTwo } = await start(t);
  const raw = { j: 1, deep: { a: [true, null] } };

  await overHttp(
    path,
    { "Content-Type": "application/cloudevents+json", pubsubname: "stream" },
    JSON.stringify(raw),
  );
  await overGrpc("OnTopicEvent", { pubsubName: "stream", topic: "invoices/created", path, extensions: raw });

  const [http, grpc] = await lastTwo(2);
  assert.deepEqual(grpc, http);
  assert.deepEqual(grpc.data, raw);
});

test("the entries of a bulk give the same ctx over HTTP and over gRPC", async (t) => {
  const { overHttp, overGrpc, lastTwo } = await start(t);
  const data = { a: "ü" };
  const bulk = { id: "b", type: "com.dapr.event.sent.bulk", topic: "invoices/created", pubsubname: "stream" };
  const { id, source, type, specversion } = attributes;
  const head = { id, source, type, specVersion: specversion, dataContentType: "application/json" };
  const stored = { ...attributes, ...daprs, datacontenttype: "application/json", data };
  const rows = [
    {
      http: { event: stored, contentType: "application/cloudevents+json", metadata: { Own: "1" } },
      grpc: {
        event: {
          case: "cloudEvent",
          value: { ...head, data: Buffer.from(JSON.stringify(data)), extensions: daprs },
        },
        ...{ contentType: "application/cloudevents+json", metadata: { Own: "1" } },
      },
    },
    ...["text/plain", "application/json", "application/octet-stream"].map((contentType) => ({
      http: { event: Buffer.from("[1]").toString("base64"), contentType },
      grpc: { event: { case: "bytes", value: Buffer.from("[1]") }, contentType },
    })),
  ];
  let count = 0;

  for (const { http, grpc } of rows) {
    await overHttp(
      path,
      { "Content-Type": "application/json" },
      JSON.stringify({ ...bulk, metadata: { Shared: "x" }, entries: [{ entryId: "1", ...http }] }),
    );
    await overGrpc("OnBulkTopicEvent", {
      ...{
        id: "b",
        type: bulk.type,
        topic: bulk.topic,
        pubsubName: "stream",
        path,
        metadata: { Shared: "x" },
      },
      entries: [{ entryId: "1", ...grpc }],
    });
    count += 2;

    const [overHttps, overGrpcs] = await lastTwo(count);
    assert.deepEqual(overGrpcs, overHttps);
  }
});
