/** SkyWalking, seen by its collector: `sw8` in and out, segments over gRPC and over HTTP. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseSw8 } from "../../src/tracing/sw8";
import { startApp } from "../support/app";
import { type SwCollector, type SwSpan, startGrpcCollector, startRestCollector } from "../support/collectors";
import { startFramework } from "./support/framework";
import { nobody } from "./support/hop";
import { postJson } from "./support/http";
import { asyncContext, makeUserProject } from "./support/modules";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const sw8Of = (sample = "1") =>
  [
    sample,
    base64("trace-1"),
    base64("segment-1"),
    "3",
    ...["web", "web-1", "/order", "shop:80"].map(base64),
  ].join("-");
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const outputs = {
  bills: { componentName: "stream", componentType: "pubsub.redis", uri: "bills" },
  store: { componentName: "files", componentType: "bindings.mqtt3", operation: "create" },
};

async function start(
  t: TestContext,
  module: string,
  { context = {}, env = {}, files = {} }: { context?: object; env?: object; files?: Record<string, string> },
) {
  const sidecar = await startApp(() => ({ status: 204 }));
  t.after(() => sidecar.stop());
  const project = await makeUserProject(t, { "index.js": module, ...files });
  const framework = await startFramework(["--target=handle"], {
    project,
    env: {
      FUNCTION_SIGNATURE_TYPE: "openfunction",
      FUNC_CONTEXT: JSON.stringify({ name: "shop", outputs, ...context }),
      DAPR_HTTP_PORT: String(sidecar.port),
      ...env,
    },
  });
  t.after(() => framework.stop());
  return { framework, sidecar };
}

const tagsOf = (span: SwSpan | undefined) =>
  Object.fromEntries((span?.tags ?? []).map(({ key, value }) => [key, value]));

const tracingTo = (collector: SwCollector, more: object = {}) => ({
  pluginsTracing: {
    enabled: true,
    provider: { name: "skywalking", oapServer: collector.address },
    tags: { team: "blue" },
    baggage: { key: "sw8-correlation", value: `${base64("tenant")}:${base64("acme")}` },
    ...more,
  },
});

const sending = `exports.handle = async (ctx) => {
  await ctx.send(1, "bills");
  await ctx.send(2, "store");
  ctx.res.json({ traceId: ctx.locals.traceId, provider: ctx.getPlugin("tracing").provider });
};`;

for (const [transport, startCollector] of [
  ["gRPC", startGrpcCollector],
  ["HTTP", startRestCollector],
] as const) {
  test(`sw8 in, segments out over ${transport}, sw8 on every send`, async (t) => {
    const collector = await startCollector(t);
    const { framework, sidecar } = await start(t, sending, {
      context: tracingTo(collector),
      env: { POD_NAME: "shop-1", POD_NAMESPACE: "sales", SW_AGENT_AUTHENTICATION: "secret" },
      files: {
        "plugins/a.js": `const { Plugin } = require("@openfunction/functions-framework");
          exports.A = class extends Plugin { constructor() { super("a"); } execPreHook() {} };`,
      },
    });

    const reply = await postJson(`${framework.url}/x?secret=1`, {}, { sw8: sw8Of(), traceparent });
    await collector.count(1);

    assert.deepEqual(reply.json(), { traceId: "trace-1", provider: "skywalking" });
    const [segment, ...more] = collector.segments;
    assert.deepEqual(more, []);
    assert.equal(segment?.traceId, "trace-1");
    assert.deepEqual([segment?.service, segment?.serviceInstance], ["shop", "shop-1"]);
    assert.equal(collector.authentication[0], "secret");
    const [entry, pre, inner, bills, store] = segment?.spans ?? [];
    assert.deepEqual(
      segment?.spans.map((span) => [span.spanId, span.parentSpanId, span.spanType, span.operationName]),
      [
        [0, -1, "Entry", "handle"],
        [1, 0, "Local", "plugin a execPreHook"],
        [2, 0, "Local", "function handle"],
        [3, 0, "Exit", "bills"],
        [4, 0, "Exit", "store"],
      ],
    );
    assert.deepEqual(entry?.refs, [
      {
        refType: 0,
        traceId: "trace-1",
        parentTraceSegmentId: "segment-1",
        parentSpanId: 3,
        parentService: "web",
        parentServiceInstance: "web-1",
        parentEndpoint: "/order",
        networkAddressUsedAtPeer: "shop:80",
      },
    ]);
    assert.deepEqual(
      [entry?.spanLayer, entry?.componentId, bills?.spanLayer, bills?.peer, store?.peer],
      ["FAAS", 5013, "MQ", "bills", "files"],
    );
    assert.ok([entry, pre, inner, bills, store].every((span) => span && span.endTime >= span.startTime));
    assert.ok(entry && entry.startTime > 1_600_000_000_000);
    assert.deepEqual(tagsOf(entry), {
      func: "shop",
      instance: "shop-1",
      namespace: "sales",
      runtime: "Knative",
      "http.method": "POST",
      "http.url": `http://127.0.0.1:${framework.port}/x`,
      team: "blue",
      "http.status_code": "200",
    });

    const [first, second] = sidecar.calls;
    const expected = { isSampled: true, traceId: "trace-1", segmentId: segment?.traceSegmentId };
    const own = { service: "shop", instance: "shop-1", endpoint: "handle" };
    assert.deepEqual(parseSw8(String(first?.headers.sw8)), {
      ...expected,
      ...own,
      spanId: 3,
      address: "bills",
    });
    assert.deepEqual(parseSw8(String(second?.headers.sw8)), {
      ...expected,
      ...own,
      spanId: 4,
      address: "files",
    });
    assert.equal(first?.headers["sw8-correlation"], `${base64("tenant")}:${base64("acme")}`);
    assert.equal(first?.headers.traceparent, traceparent);
  });
}

test("SW_AGENT_* alone enable it, for deliveries too; failures and drops are told apart", async (t) => {
  const collector = await startGrpcCollector(t);
  const { framework } = await start(
    t,
    `const { DropMessage } = require("@openfunction/functions-framework");
     exports.handle = (ctx, data) => {
       if (data === 1) throw new RangeError("no luck");
       if (data === 2) throw new DropMessage("not wanted");
     };`,
    {
      env: {
        ...asyncContext({ name: "" }),
        SW_AGENT_COLLECTOR_BACKEND_SERVICES: `${collector.address},other:11800`,
        SW_AGENT_NAME: "named",
        SW_AGENT_INSTANCE: "one",
        SW_AGENT_NAMESPACE: "ns",
        SW_AGENT_KEEP_TRACING: "true",
      },
    },
  );

  for (const data of [0, 1, 2]) await postJson(`${framework.url}/queue`, data, { sw8: sw8Of() });
  await collector.count(3);

  const entries = collector.segments.map(({ spans }) => spans[0]);
  assert.deepEqual(
    entries.map((entry) => [entry?.isError, tagsOf(entry).outcome]),
    [
      [false, "ack"],
      [true, "retry"],
      [false, "drop"],
    ],
  );
  assert.deepEqual(
    [collector.segments[0]?.service, collector.segments[0]?.serviceInstance],
    ["named", "one"],
  );
  assert.equal(tagsOf(entries[0]).trigger, "binding:queue");
  assert.equal(tagsOf(entries[0])["component.type"], "bindings.mqtt3");
  assert.equal(entries[0]?.refs.length, 1);
  const log = Object.fromEntries((entries[1]?.logs[0]?.data ?? []).map(({ key, value }) => [key, value]));
  assert.deepEqual([log.event, log["error.kind"], log.message], ["error", "RangeError", "no luck"]);
  assert.match(log.stack ?? "", /index\.js/);
});

test("what the caller does not sample is not reported, and is not sampled further on", async (t) => {
  const collector = await startRestCollector(t);
  const { framework, sidecar } = await start(t, sending, { context: tracingTo(collector) });

  await postJson(framework.url, {}, { sw8: sw8Of("0") });
  await framework.stop();

  assert.deepEqual(collector.segments, []);
  assert.equal(parseSw8(String(sidecar.calls[0]?.headers.sw8))?.isSampled, false);
});

test("broken headers begin a new trace; many spans are cut, not the call", async (t) => {
  const collector = await startRestCollector(t);
  const { framework, sidecar } = await start(
    t,
    'exports.handle = async (ctx) => { for (let count = 0; count < 400; count++) ctx.send(count, "bills"); };',
    { context: tracingTo(collector) },
  );

  const reply = await postJson(framework.url, {}, { sw8: "1-x-y", "sw8-correlation": "::,:" });
  await framework.stop();

  assert.equal(reply.status, 204, reply.text);
  assert.equal(sidecar.calls.length, 400);
  assert.equal(collector.segments[0]?.spans.length, 300);
  assert.deepEqual(collector.segments[0]?.spans[0]?.refs, []);
});

test("a collector that is away is one line; what waits is bounded; calls and the stop go on", async (t) => {
  const address = (await nobody()).replace(/^tcp:/, "");
  const { framework } = await start(t, "exports.handle = () => undefined;", {
    context: { pluginsTracing: { enabled: true, provider: { name: "skywalking", oapServer: address } } },
    env: { SW_AGENT_MAX_BUFFER_SIZE: "5" },
  });
  const lines = (text: string) => framework.logs().filter(({ message }) => message.includes(text)).length;

  for (let count = 0; count < 20; count++) assert.equal((await postJson(framework.url, {})).status, 204);
  await framework.says("Traces cannot be sent");
  for (let count = 0; count < 20; count++) assert.equal((await postJson(framework.url, {})).status, 204);
  const { code } = await framework.stop();

  assert.equal(code, 0);
  assert.equal(lines("Traces cannot be sent"), 1);
  assert.equal(lines("segments wait"), 1);
});

test("a provider that is not known is a warning", async (t) => {
  const { framework } = await start(t, "exports.handle = (ctx) => String(ctx.getPlugin('tracing'));", {
    context: { pluginsTracing: { enabled: true, provider: { name: "zipkin" } } },
  });

  const reply = await postJson(framework.url, {});
  await framework.says("is not known");

  assert.equal(reply.text, "undefined");
});
