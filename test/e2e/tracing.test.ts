/** OpenTelemetry, seen by a collector: what is a span, whose child it is, what it says, and that nobody waits for it. */
import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";

import { startApp } from "../support/app";
import { type OtlpCollector, startOtlpCollector } from "../support/collectors";
import { deferred } from "../support/wait";
import { type Framework, runFramework, spawnFramework, startFramework } from "./support/framework";
import { nobody } from "./support/hop";
import { postJson, request } from "./support/http";
import { asyncContext, makeUserProject } from "./support/modules";
import { createProject, installCopy, linkDependencies } from "./support/projects";

const api = join(__dirname, "../../node_modules/@opentelemetry/api");
const traceId = "0af7651916cd43dd8448eb211c80319c";
const caller = "b7ad6b7169203331";
const traceparent = `00-${traceId}-${caller}-01`;
const otherTrace = "4bf92f3577b34da6a3ce929d0e0e4736";

interface Traced {
  module: string;
  target?: string;
  args?: string[];
  env?: Record<string, string>;
  files?: Record<string, string>;
  collector?: OtlpCollector;
}

/** A function that sends its spans to a collector, soon. */
async function start(
  t: TestContext,
  { module, target = "handle", args = [], env = {}, files = {}, collector }: Traced,
): Promise<{ framework: Framework; collector: OtlpCollector }> {
  const own = collector ?? (await startOtlpCollector(t));
  const project = await makeUserProject(t, { "index.js": module, ...files });
  await cp(api, join(project, "node_modules/@opentelemetry/api"), { recursive: true }); // a copy of the user's
  const framework = await startFramework([`--target=${target}`, ...args], {
    project,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: own.url, OTEL_BSP_SCHEDULE_DELAY: "20", ...env },
  });
  t.after(() => framework.stop());
  return { framework, collector: own };
}

const telling = `
  const { trace } = require("@opentelemetry/api");
  const functions = require("@openfunction/functions-framework");
  const seen = () => trace.getActiveSpan()?.spanContext();
  exports.handle = seen;
  functions.cloudEvent("event", seen);
  functions.typed("typed", seen);
  functions.http("http", (req, res) => setTimeout(() => res.json(seen()), 1));`;

const structured = {
  specversion: "1.0",
  id: "1",
  source: "/s",
  type: "t",
  traceparent,
  tracestate: "a=1",
  data: 1,
};
const json = { "Content-Type": "application/json" };
const events = { "Content-Type": "application/cloudevents+json" };
const binary = { "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0" };
const asOpenFunction = { FUNCTION_SIGNATURE_TYPE: "openfunction" };

interface Signature {
  what: string;
  target: string;
  env?: Record<string, string>;
  path?: string;
  headers?: Record<string, string>;
  body?: unknown;
  /** Its own span kind. */
  kind: number;
}

const signatures: Signature[] = [
  { what: "http", target: "http", headers: { ...json, traceparent }, kind: 2 },
  { what: "cloudevent, a header", target: "event", headers: { ...json, ...binary, traceparent }, kind: 2 },
  {
    what: "cloudevent, an attribute in binary mode",
    target: "event",
    headers: { ...json, ...binary, "ce-traceparent": traceparent },
    kind: 2,
  },
  {
    what: "cloudevent, an attribute in structured mode",
    target: "event",
    headers: events,
    body: structured,
    kind: 2,
  },
  {
    what: "event",
    target: "handle",
    env: { FUNCTION_SIGNATURE_TYPE: "event" },
    headers: { ...json, traceparent },
    kind: 2,
  },
  { what: "typed", target: "typed", headers: { ...json, traceparent }, kind: 2 },
  {
    what: "openfunction",
    target: "handle",
    env: asOpenFunction,
    headers: { ...json, traceparent },
    kind: 2,
  },
  {
    what: "a binding",
    target: "handle",
    env: asyncContext(),
    path: "/queue",
    headers: { ...json, traceparent },
    kind: 5,
  },
  {
    what: "a topic, an attribute",
    target: "handle",
    env: asyncContext(),
    path: "/invoices/created",
    headers: events,
    body: structured,
    kind: 5,
  },
  {
    what: "Google's header",
    target: "http",
    headers: { ...json, "X-Cloud-Trace-Context": `${traceId}/${BigInt(`0x${caller}`)};o=1` },
    kind: 2,
  },
];

describe("the trace of the caller goes on, and the user's own API sees the span", { concurrency: 2 }, () => {
  for (const { what, target, env = {}, path = "/", headers = {}, body = {}, kind } of signatures) {
    test(what, async (t) => {
      const { framework, collector } = await start(t, { module: telling, target, env });

      const reply = await postJson(framework.url + path, body, headers);
      await collector.has(kind === 5 ? "handle" : target);

      const [span, ...more] = collector.spans;
      assert.deepEqual(more, []);
      assert.equal(span?.traceId, traceId);
      assert.equal(span?.parent, caller);
      assert.equal(span?.kind, kind);
      if (path !== "/invoices/created") {
        assert.equal(reply.status, 200, reply.text);
        assert.equal(reply.json().spanId, span?.spanId);
      }
    });
  }
});

for (const [what, version] of [
  ["an older", "1.4.0"],
  ["a newer", "1.99.0"],
] as const) {
  test(`the user's own API may be ${what} one`, async (t) => {
    const collector = await startOtlpCollector(t);
    const project = await makeUserProject(t, { "index.js": telling });
    const copy = join(project, "node_modules/@opentelemetry/api");
    await cp(api, copy, { recursive: true });
    for (const file of ["package.json", "build/src/version.js"]) {
      const text = await readFile(join(copy, file), "utf8");
      await writeFile(join(copy, file), text.replace(/(["'])1\.\d+\.\d+\1/, `"${version}"`));
    }
    const framework = await startFramework(["--target=http"], {
      project,
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "20" },
    });
    t.after(() => framework.stop());

    const reply = await postJson(framework.url, {}, { traceparent });
    await collector.has("http");

    assert.equal(reply.json().spanId, collector.span("http").spanId);
  });
}

test("a span says what was called, by the names of the conventions", async (t) => {
  const env = {
    FUNC_CONTEXT: JSON.stringify({
      name: "shop",
      version: "v2",
      pluginsTracing: { enabled: false, tags: { team: "blue" } },
    }),
    POD_NAME: "shop-1",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  };
  const { framework, collector } = await start(t, { module: telling, target: "http", env });

  await postJson(`${framework.url}/a/b?secret=1`, {}, { "User-Agent": "tester" });
  await collector.has("http");

  const { attributes, resource, parent } = collector.span("http");
  const { "faas.invocation_id": id, ...others } = attributes;
  assert.match(String(id), /^\w{12}$/);
  assert.deepEqual(others, {
    "faas.trigger": "http",
    "faas.coldstart": true,
    "openfunction.signature": "http",
    "http.request.method": "POST",
    "url.path": "/a/b",
    "url.scheme": "http",
    "network.protocol.version": "1.1",
    "server.address": "127.0.0.1",
    "user_agent.original": "tester",
    "openfunction.outcome": "ok",
    "http.response.status_code": 200,
    team: "blue",
  });
  assert.equal(parent, "");
  assert.equal(resource["service.name"], "shop");
  assert.equal(resource["service.version"], "v2");
  assert.equal(resource["faas.instance"], "shop-1");
  assert.equal(resource["deployment.environment.name"], "test");
});

const outputs = {
  bills: { componentName: "stream", componentType: "pubsub.redis", uri: "bills" },
  store: { componentName: "files", componentType: "bindings.kafka", operation: "create" },
};

async function startSending(t: TestContext, module: string, env: Record<string, string> = {}) {
  const sidecar = await startApp(() => ({ status: 204 }));
  t.after(() => sidecar.stop());
  const started = await start(t, {
    module,
    env: {
      ...asOpenFunction,
      FUNC_CONTEXT: JSON.stringify({ name: "shop", outputs }),
      DAPR_HTTP_PORT: String(sidecar.port),
      ...env,
    },
  });
  return { sidecar, ...started };
}

test("each send is a span, and the next one's parent; the user's own span is in between", async (t) => {
  const { sidecar, framework, collector } = await startSending(
    t,
    `const { trace } = require("@opentelemetry/api");
     exports.handle = (ctx) => trace.getTracer("mine").startActiveSpan("mine", async (span) => {
       await ctx.send({ a: 1 }, "bills");
       span.end();
       ctx.send({ a: 2 }, "store");
     });`,
  );

  const reply = await postJson(framework.url, {}, { traceparent, tracestate: "v=1", baggage: "user=7" });
  assert.equal(reply.status, 204, reply.text);
  await collector.has("handle", "mine", "send bills", "send store");

  const span = collector.span.bind(collector);
  assert.ok(collector.spans.every((one) => one.traceId === traceId));
  assert.equal(span("mine").parent, span("handle").spanId);
  assert.equal(span("send bills").parent, span("mine").spanId);
  assert.equal(span("send store").parent, span("mine").spanId);
  assert.deepEqual([span("send bills").kind, span("send store").kind], [4, 3]);
  assert.deepEqual(span("send bills").attributes, {
    "messaging.system": "redis",
    "messaging.operation.name": "publish",
    "messaging.operation.type": "send",
    "messaging.destination.name": "bills",
    "dapr.component": "stream",
    "openfunction.output": "bills",
  });
  const sent = sidecar.calls.map(({ headers }) => [headers.traceparent, headers.tracestate, headers.baggage]);
  assert.deepEqual(sent, [
    [`00-${traceId}-${span("send bills").spanId}-01`, "v=1", "user=7"],
    [`00-${traceId}-${span("send store").spanId}-01`, "v=1", "user=7"],
  ]);
});

test("what a user's HTTP client injects is the span of the call", async (t) => {
  const outside = await startApp(() => ({ status: 200 }));
  t.after(() => outside.stop());
  const { framework, collector } = await start(t, {
    module: `const { context, propagation } = require("@opentelemetry/api");
      exports.handle = async (req, res) => {
        const headers = {};
        propagation.inject(context.active(), headers);
        await fetch(process.env.OUTSIDE, { headers });
        res.send("done");
      };`,
    env: { OUTSIDE: outside.origin },
  });

  await request(framework.url, { headers: { traceparent } });
  await collector.has("handle");

  const { spanId } = collector.span("handle");
  assert.equal(outside.calls[0]?.headers.traceparent, `00-${traceId}-${spanId}-01`);
});

test("hooks and plugins are spans, and the function is one within them", async (t) => {
  const { framework, collector } = await start(t, {
    module: `const functions = require("@openfunction/functions-framework");
      functions.use(async function timing(invocation, next) { return next(); });
      exports.handle = (req, res) => { res.send("x"); };`,
    files: {
      "plugins/a.js": `const { Plugin } = require("@openfunction/functions-framework");
        exports.A = class extends Plugin {
          constructor() { super("a"); }
          execPreHook(ctx) {
            const { name, version, provider } = ctx.getPlugin("tracing");
            console.log(JSON.stringify({ name, version, provider, via: ctx.getPlugin("tracing").get("provider"), id: ctx.locals.traceId }));
          }
          execPostHook() { throw new Error("post failed"); }
        };`,
    },
  });

  await request(framework.url, { headers: { traceparent } });
  await collector.has(
    "handle",
    "hook timing",
    "plugin a execPreHook",
    "function handle",
    "plugin a execPostHook",
  );

  const span = collector.span.bind(collector);
  assert.equal(span("hook timing").parent, span("handle").spanId);
  for (const name of ["plugin a execPreHook", "function handle", "plugin a execPostHook"])
    assert.equal(span(name).parent, span("hook timing").spanId, name);
  const ended = collector.spans.map(({ name }) => name);
  const order = ["plugin a execPreHook", "function handle", "plugin a execPostHook", "hook timing"];
  assert.deepEqual(
    ended.filter((name) => order.includes(name)),
    order,
  );
  assert.equal(span("plugin a execPostHook").status, 2);
  assert.equal(span("handle").status, 0);
  const plugin = {
    name: "tracing",
    version: "v1",
    provider: "opentelemetry",
    via: "opentelemetry",
    id: traceId,
  };
  assert.ok(framework.stdout.includes(JSON.stringify(plugin)));
});

test("a failure is recorded with its error, and log lines carry trace and span", async (t) => {
  const { framework, collector } = await start(t, {
    module: `exports.handle = (req, res) => {
      req.log.info("about to fail");
      throw Object.assign(new TypeError("no luck"), { code: "E_LUCK" });
    };`,
  });

  const { status } = await request(framework.url, { headers: { traceparent } });
  await collector.has("handle");
  await framework.says("about to fail");

  const span = collector.span("handle");
  assert.equal(status, 500);
  assert.equal(span.status, 2);
  assert.equal(span.attributes["error.type"], "E_LUCK");
  assert.equal(span.attributes["http.response.status_code"], 500);
  const [event] = span.events;
  assert.equal(event?.name, "exception");
  assert.equal(event?.attributes["exception.message"], "no luck");
  assert.match(String(event?.attributes["exception.stacktrace"]), /index\.js/);
  const line = framework.logs().find(({ message }) => message === "about to fail") as unknown as object;
  const { traceId: ofLine, spanId } = line as { traceId?: string; spanId?: string };
  assert.deepEqual([ofLine, spanId], [traceId, span.spanId]);
});

test("every attempt of a delivery is a span; what is dropped is no error", async (t) => {
  const { framework, collector } = await start(t, {
    module: `const { DropMessage } = require("@openfunction/functions-framework");
      let count = 0;
      exports.handle = (ctx, data) => {
        if (data === "drop") throw new DropMessage("not wanted");
        if (++count < 3) throw new Error("attempt " + count);
      };`,
    env: {
      ...asyncContext(),
      FUNC_RETRY: '{"maxAttempts":3,"backoff":{"initial":1,"factor":1,"max":1}}',
    },
  });
  const topic = `${framework.url}/invoices/created`;

  await postJson(topic, { ...structured, data: "retry" }, events);
  await postJson(topic, { ...structured, id: "2", data: "drop" }, events);
  await collector.has("handle");
  await framework.stop();

  assert.deepEqual(
    collector.spans.map(({ attributes, status, parent }) => [
      attributes["openfunction.attempt"],
      attributes["openfunction.outcome"],
      status,
      parent,
    ]),
    [
      [1, "retry", 2, caller],
      [2, "retry", 2, caller],
      [3, "ack", 0, caller],
      [1, "drop", 0, caller],
    ],
  );
  const { attributes } = collector.spans[0] ?? {};
  assert.equal(attributes?.["messaging.message.id"], "1");
  assert.equal(attributes?.["messaging.destination.name"], "invoices/created");
  assert.equal(attributes?.["faas.trigger"], "pubsub");
});

test("a message of another trace than its request keeps its own, and is linked to the request", async (t) => {
  const { framework, collector } = await start(t, { module: telling, env: asyncContext() });
  const topic = `${framework.url}/invoices/created`;
  const near = `00-${traceId}-00f067aa0ba902b7-01`;

  await postJson(topic, structured, { ...events, traceparent: `00-${otherTrace}-00f067aa0ba902b7-01` });
  await postJson(topic, structured, { ...events, traceparent: near });
  await framework.stop();

  const [other, same] = collector.spans;
  assert.deepEqual([other?.traceId, other?.parent], [traceId, caller]);
  assert.deepEqual(other?.links, [{ traceId: otherTrace, spanId: "00f067aa0ba902b7" }]);
  assert.deepEqual([same?.traceId, same?.parent], [traceId, "00f067aa0ba902b7"]);
  assert.deepEqual(same?.links, []);
});

test("headers that break the rules begin a new trace", async (t) => {
  const { framework, collector } = await start(t, { module: telling, target: "http" });
  const hostile = ["", "00-0-0-0", `ff-${traceId}-${caller}-01`, `00-${"0".repeat(32)}-${caller}-01`];

  for (const header of hostile)
    assert.equal((await postJson(framework.url, {}, { traceparent: header, baggage: "%=;,," })).status, 200);
  await request(framework.url, {
    method: "POST",
    headers: { "Content-Type": "application/cloudevents+json" },
    body: "{broken",
  });
  await framework.stop();

  const traces = new Set(collector.spans.map((span) => span.traceId));
  assert.equal(traces.size, collector.spans.length);
  assert.ok(collector.spans.every(({ parent }) => parent === ""));
});

test("listeners of a request whose body streams see the span", async (t) => {
  const { framework, collector } = await start(t, {
    module: `const { trace } = require("@opentelemetry/api");
      exports.handle = (req, res) => {
        req.on("data", () => {});
        req.on("end", () => res.json(trace.getActiveSpan()?.spanContext() ?? null));
      };`,
    env: { FF_BODY_MODE: "stream" },
  });

  const reply = await request(framework.url, { method: "POST", body: ["a", "b"], headers: { traceparent } });
  await collector.has("handle");

  assert.equal(reply.json().spanId, collector.span("handle").spanId);
});

test("calls at the same time keep apart", async (t) => {
  const { framework, collector } = await start(t, {
    module: `const { trace } = require("@opentelemetry/api");
      exports.handle = async (req, res) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
        res.json(trace.getActiveSpan().spanContext());
      };`,
  });
  const ids = Array.from({ length: 30 }, (_, index) => (index + 1).toString(16).padStart(32, "0"));

  const replies = await Promise.all(
    ids.map((id) => request(framework.url, { headers: { traceparent: `00-${id}-${caller}-01` } })),
  );
  await framework.stop();

  assert.deepEqual(
    replies.map((reply) => reply.json().traceId),
    ids,
  );
  assert.deepEqual(collector.spans.map((span) => span.traceId).sort(), ids);
});

test("the context says where spans go: address, protocol, headers, compression", async (t) => {
  const collector = await startOtlpCollector(t);
  const exporter = {
    name: "otlp",
    endpoint: collector.url,
    protocol: "http/json",
    headers: "x-key=abc,x-more=1",
    compression: "gzip",
    timeout: "5s",
  };
  const { framework } = await start(t, {
    module: telling,
    target: "http",
    collector,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: "",
      FUNC_CONTEXT: JSON.stringify({
        name: "shop",
        pluginsTracing: {
          enabled: true,
          provider: { name: "OpenTelemetry", exporter },
          tags: { team: "blue" },
          baggage: { tenant: "acme" },
        },
      }),
    },
  });

  await postJson(framework.url, {});
  await collector.has("http");

  const [{ path, headers } = { path: "", headers: {} }] = collector.requests;
  assert.equal(path, "/v1/traces");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["content-encoding"], "gzip");
  assert.deepEqual([headers["x-key"], headers["x-more"]], ["abc", "1"]);
  assert.equal(collector.span("http").attributes.team, "blue");
});

test("V1BETA2 alone enables it too", async (t) => {
  const collector = await startOtlpCollector(t);
  const tracing = {
    enabled: true,
    provider: { name: "opentelemetry", exporter: { name: "otlp", endpoint: `${collector.url}/v1/traces` } },
  };
  const { framework } = await start(t, {
    module: telling,
    target: "http",
    collector,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: "",
      FUNC_CONTEXT: JSON.stringify({ name: "shop" }),
      FUNC_CONTEXT_V1BETA2: JSON.stringify({ name: "shop", tracing, triggers: { http: { port: 8080 } } }),
    },
  });

  await postJson(framework.url, {});
  await collector.has("http");

  assert.equal(collector.requests[0]?.path, "/v1/traces");
});

for (const [name, value] of [
  ["OTEL_SDK_DISABLED", "true"],
  ["OTEL_TRACES_EXPORTER", "none"],
] as const) {
  test(`${name} turns it off, and the caller's trace still goes on`, async (t) => {
    const { sidecar, framework, collector } = await startSending(
      t,
      "exports.handle = (ctx) => ctx.send(ctx.getPlugin('tracing') ?? null, 'bills');",
      { [name]: value },
    );

    await postJson(framework.url, {}, { traceparent });
    await framework.stop();

    assert.deepEqual(collector.requests, []);
    assert.equal(sidecar.calls[0]?.headers.traceparent, traceparent);
    assert.equal(sidecar.calls[0]?.body, "null");
  });
}

test("a provider that the user has registered is used, and flushed at the end", async (t) => {
  const { framework, collector } = await start(t, {
    module: telling,
    target: "http",
    args: ["--import=./instrumentation.js"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: "" },
    files: {
      "instrumentation.js": `
        const { trace, context } = require("@opentelemetry/api");
        const of = (name) => require(${JSON.stringify(join(api, ".."))} + "/" + name);
        const { BasicTracerProvider, BatchSpanProcessor } = of("sdk-trace-base");
        const { AsyncLocalStorageContextManager } = of("context-async-hooks");
        const { W3CTraceContextPropagator } = of("core");
        const ended = [];
        const exporter = { export: (spans, done) => { for (const one of spans) console.log("exported " + one.name); done({ code: 0 }); }, shutdown: async () => {} };
        trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] }));
        context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
        require("@opentelemetry/api").propagation.setGlobalPropagator(new W3CTraceContextPropagator());`,
    },
  });

  const reply = await postJson(framework.url, {}, { traceparent });
  const { stdout } = await framework.stop();

  assert.equal(reply.json().traceId, traceId);
  assert.ok(stdout.includes("exported http"), stdout);
  assert.deepEqual(collector.requests, []);
});

test("a package that is missing is named, and the start fails", async (t) => {
  const { folder, remove } = await createProject({ "index.js": "exports.handle = () => 1;" });
  t.after(remove);
  await installCopy(folder);
  await linkDependencies(folder);

  const installed = join(folder, "node_modules/@openfunction/functions-framework");
  await cp(join(__dirname, "../../bin"), join(installed, "bin"), { recursive: true });
  const command = join(folder, "start.sh");
  const bin = join(installed, "bin/functions-framework.js");
  await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${bin}" --port=0 --target=handle\n`, {
    mode: 0o755,
  });

  const env = { OTEL_TRACES_EXPORTER: "otlp" };
  const { code, stderr } = await runFramework([], { project: folder, command, env });

  assert.equal(code, 1);
  assert.match(stderr, /Tracing needs the package @opentelemetry\/api, which is not installed/);
  assert.match(stderr, /npm install .{0,2}@opentelemetry\/api@\^1/);
});

test("an exporter that is optional is named too; wrong settings are told all at once", async (t) => {
  const project = await makeUserProject(t, { "index.js": "exports.handle = () => 1;" });
  const run = (env: Record<string, string>) =>
    runFramework(["--target=handle", "--port=0"], { project, env });

  const missing = await run({ OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" });
  const wrong = await run({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318", OTEL_TRACES_EXPORTER: "jaeger" });
  const exporter = {
    name: "kafka",
    endpoint: "nowhere",
    protocol: "tcp",
    compression: "zip",
    timeout: "soon",
  };
  const pluginsTracing = { enabled: true, provider: { name: "opentelemetry", exporter } };
  const stated = await run({ FUNC_CONTEXT: JSON.stringify({ name: "f", pluginsTracing }) });

  assert.deepEqual([missing.code, wrong.code, stated.code], [1, 1, 1]);
  assert.match(missing.stderr, /@opentelemetry\/exporter-trace-otlp-grpc.*FF_TRACING_PACKAGE_MISSING/);
  assert.match(wrong.stderr, /OTEL_EXPORTER_OTLP_ENDPOINT.*OTEL_TRACES_EXPORTER.*jaeger.*FF_TRACING_INVALID/);
  for (const field of ["name", "endpoint", "protocol", "compression", "timeout"])
    assert.match(stated.stderr, new RegExp(`exporter\\.${field} must be`));
});

test("a collector that is away, or refuses, is one line, and one when it is back; calls and the stop go on", async (t) => {
  let status = 403;
  const collector = await startOtlpCollector(t, { answer: () => status });
  const { framework } = await start(t, { module: telling, target: "http", collector });
  const lines = (text: string) => framework.logs().filter(({ message }) => message.includes(text)).length;

  for (let count = 0; count < 3; count++) {
    assert.equal((await postJson(framework.url, {})).status, 200);
    const before = collector.requests.length;
    await framework.says("Traces cannot be sent");
    assert.ok(before >= 0);
  }
  assert.equal(lines("Traces cannot be sent"), 1);
  status = 200;
  await postJson(framework.url, {});
  await collector.has("http");
  await framework.says("again");
  const { code } = await framework.stop();

  assert.equal(code, 0);
  assert.deepEqual([lines("Traces cannot be sent"), lines("again")], [1, 1]);
});

test("nothing that listens: calls are answered, and the stop does not wait for ever", async (t) => {
  const address = (await nobody()).replace(/^tcp:/, "http://");
  const { framework } = await start(t, {
    module: telling,
    target: "http",
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: address },
  });

  const replies = await Promise.all(Array.from({ length: 20 }, () => postJson(framework.url, {})));
  const { code, stderr } = await framework.stop();

  assert.ok(replies.every(({ status }) => status === 200));
  assert.equal(code, 0, stderr);
});

test("a signal while calls are under way: their spans get out", async (t) => {
  const { framework, collector } = await start(t, {
    module: `exports.handle = (req, res) => {
      console.log("called");
      setTimeout(() => res.send("done"), 300);
    };`,
    env: { OTEL_BSP_SCHEDULE_DELAY: "60000" },
  });

  const replies = Promise.all([request(framework.url), request(framework.url)]);
  await framework.says("called\ncalled");
  const { code } = await framework.stop();

  assert.deepEqual(
    (await replies).map(({ status }) => status),
    [200, 200],
  );
  assert.equal(code, 0);
  assert.equal(collector.spans.length, 2);
});

test("a client that leaves is told apart", async (t) => {
  const { framework, collector } = await start(t, {
    module: `exports.handle = (req, res) => { console.log("called"); req.signal.addEventListener("abort", () => console.log("gone")); };`,
  });
  const left = new AbortController();
  const gone = deferred<unknown>();

  fetch(framework.url, { signal: left.signal }).catch(gone.resolve);
  await framework.says("called");
  left.abort();
  await gone.promise;
  await framework.says("gone");
  await collector.has("handle");

  const { attributes, status } = collector.span("handle");
  assert.deepEqual([attributes["error.type"], status], ["aborted", 2]);
});

test("a wrapper as of Go functions goes out when it is wanted, and is taken off again", async (t) => {
  const { sidecar, framework, collector } = await startSending(
    t,
    `exports.handle = async (ctx) => {
      await ctx.send({ a: 1 }, "bills");
      await ctx.send("text", "store");
      await ctx.send({ specversion: "1.0", id: "1", source: "s", type: "t" }, "bills");
    };`,
    { FF_INNER_EVENTS: "true", POD_NAMESPACE: "sales" },
  );

  const reply = await postJson(framework.url, {}, { traceparent });
  assert.equal(reply.status, 204, reply.text);
  await collector.has("handle", "send bills", "send store");

  const [bills, store, own] = sidecar.calls.map(({ body }) => JSON.parse(body));
  const payload = (wrapper: { data: { userData: string } }) =>
    Buffer.from(wrapper.data.userData, "base64").toString("utf8");
  assert.equal(sidecar.calls[0]?.headers["content-type"], "application/json");
  assert.equal(bills.type, "io.openfunction.function.sales.shop");
  assert.equal(bills.source, "sales/shop");
  assert.equal(payload(bills), '{"a":1}');
  assert.equal(payload(store.data), '"text"');
  assert.equal(bills.data.metadata.traceparent, `00-${traceId}-${collector.span("send bills").spanId}-01`);
  assert.deepEqual(own, { specversion: "1.0", id: "1", source: "s", type: "t" });

  const receiver = await start(t, {
    module: `${telling} exports.handle = (ctx, data) => { console.log("got " + JSON.stringify([data, seen().traceId])); };`,
    env: asyncContext(),
  });
  const outer = { specversion: "1.0", id: "9", source: "Dapr", type: "com.dapr.event.sent", data: bills };
  await postJson(`${receiver.framework.url}/invoices/created`, outer, events);
  await postJson(`${receiver.framework.url}/queue`, store.data);

  await receiver.framework.says(`got ${JSON.stringify([{ a: 1 }, traceId])}`);
  await receiver.framework.says(`got ${JSON.stringify(["text", traceId])}`);
  await receiver.collector.has("handle");
  assert.equal(receiver.collector.spans[0]?.parent, collector.span("send bills").spanId);
});

test("a stop during the start leaves nothing behind", async (t) => {
  const project = await makeUserProject(t, {
    "index.js": `exports.init = () => { console.log("starting"); return new Promise((resolve) => setTimeout(resolve, 60000)); };
      exports.handle = () => 1;`,
  });
  const started = spawnFramework(["--target=handle", "--port=0"], {
    project,
    env: { OTEL_TRACES_EXPORTER: "otlp" },
  });
  t.after(() => started.stop());
  await started.says("starting");

  const { code } = await started.stop();

  assert.equal(code, 0);
});
