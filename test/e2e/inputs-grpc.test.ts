/** A function in the async runtime with APP_PROTOCOL=grpc, as a sidecar sees it. The client's messages are protobuf-es. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { Sidecar, status } from "../support/grpc";
import { type Framework, runFramework } from "./support/framework";
import { postJson, request } from "./support/http";
import { asyncContext, makeUserProject, startModule } from "./support/modules";

const inputs = {
  orders: { componentName: "queue", componentType: "bindings.mqtt3" },
  tick: { componentName: "clock", componentType: "bindings.cron" },
  created: {
    componentName: "stream",
    componentType: "pubsub.redis",
    uri: "invoices/created",
    metadata: { rawPayload: "false" },
    deadLetterTopic: "invoices/dead",
    bulkSubscribe: { enabled: true, maxMessagesCount: 7, maxAwaitDurationMs: 50 },
  },
  dead: { componentName: "stream", componentType: "pubsub.redis", uri: "invoices/dead" },
};
const path = announcedRoute("stream", "invoices/created");
const atOnce = JSON.stringify({ maxAttempts: 1, backoff: { initial: 0 } });
const often = (maxAttempts: number, initial = 1) =>
  JSON.stringify({ maxAttempts, backoff: { initial, factor: 1, max: initial } });

const event = {
  id: "1",
  source: "shop",
  type: "order",
  specVersion: "1.0",
  dataContentType: "application/json",
};
const delivery = { ...event, pubsubName: "stream", topic: "invoices/created", path };
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

interface SetUp {
  module: string;
  args?: string[];
  env?: Record<string, string>;
}

async function start(t: TestContext, { module, args = [], env = {} }: SetUp) {
  const framework = await startModule(t, module, ["--target=handle", `--retry=${atOnce}`, ...args], {
    env: { ...asyncContext({ inputs }), APP_PROTOCOL: "grpc", ...env },
  });
  return { framework, sidecar: connectTo(t, framework) };
}

function connectTo(t: TestContext, { port }: Framework): Sidecar {
  const sidecar = new Sidecar(`127.0.0.1:${port}`);
  t.after(() => sidecar.close());
  return sidecar;
}

const outcomes = `
  const { DropMessage, RetryMessage } = require("@openfunction/functions-framework");
  const calls = new Map();
  exports.handle = async (ctx, data) => {
    const name = data.name ?? data;
    const call = (calls.get(name) ?? 0) + 1;
    calls.set(name, call);
    console.log("call " + call + " of " + name + ";");
    if (name.startsWith("drop")) throw new DropMessage("it is no order");
    if (name.startsWith("later")) throw new RetryMessage({ afterMs: 3600000 });
    if (name.startsWith("flaky") && call < 3) throw new Error("not yet");
    if (name.startsWith("throws")) throw new Error("no luck: 100 % ü\\n");
    if (name.startsWith("tick")) { process.nextTick(() => { throw new Error("in a tick"); }); await new Promise(() => {}); }
    if (name.startsWith("timer")) { setTimeout(() => { throw new Error("in a timer"); }); await new Promise(() => {}); }
    if (name.startsWith("promise")) { Promise.reject(new Error("of nobody")); await new Promise(() => {}); }
    if (name.startsWith("hangs")) {
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      console.log("aborted " + name + " " + ctx.signal.reason.name + " " + ctx.signal.reason.message + ";");
      if (data.goOn) return "late";
      await new Promise(() => {});
    }
    return data.value === "bytes" ? Buffer.from([1, 255]) : data.value;
  };`;

const bind = (sidecar: Sidecar, data: unknown) =>
  sidecar.call("OnBindingEvent", { name: "queue", data: json(data) });
const announce = (sidecar: Sidecar, data: unknown, more: object = {}) =>
  sidecar.call("OnTopicEvent", { ...delivery, data: json(data), ...more });
const proxy = (sidecar: Sidecar, data: unknown, more: object = {}) =>
  announce(sidecar, data, { path: "invoices/created", ...more });

test("the sidecar learns of topics and bindings, token or not", async (t) => {
  const { sidecar } = await start(t, { module: "exports.handle = () => {};", env: { APP_API_TOKEN: "s" } });

  const topics = await sidecar.call("ListTopicSubscriptions");
  const bindings = await sidecar.call("ListInputBindings");
  const health = await sidecar.call("HealthCheck");

  const [created, dead] = (topics.message?.subscriptions ?? []) as Record<string, Record<string, unknown>>[];
  assert.deepEqual(
    [created?.pubsubName, created?.topic, created?.routes?.default, created?.metadata],
    ["stream", "invoices/created", path, { rawPayload: "false" }],
  );
  assert.equal(created?.deadLetterTopic, "invoices/dead");
  assert.deepEqual([created?.bulkSubscribe?.enabled, created?.bulkSubscribe?.maxMessagesCount], [true, 7]);
  assert.deepEqual([dead?.topic, dead?.bulkSubscribe], ["invoices/dead", undefined]);
  assert.deepEqual(bindings.message?.bindings, ["queue", "clock"]);
  assert.equal(health.code, status.OK);
});

test("an outcome is answered in the words of each caller", async (t) => {
  const { sidecar } = await start(t, { module: outcomes });
  const ask = async (name: string) => {
    const replies = [];
    for (const one of [bind, announce, proxy]) {
      const { code, message } = await one(sidecar, { name });
      replies.push(message?.status === undefined ? code : [code, message.status]);
    }
    return replies;
  };

  assert.deepEqual(await ask("fine"), [status.OK, [status.OK, 0], [status.OK, 0]]);
  assert.deepEqual(await ask("throws"), [status.INTERNAL, [status.OK, 1], status.UNAVAILABLE]);
  assert.deepEqual(await ask("drop"), [status.OK, [status.OK, 2], [status.OK, 2]]);
});

test("what the function returns is the data of the binding's reply, and goes to no output", async (t) => {
  const { sidecar } = await start(t, { module: outcomes });

  for (const [value, data] of [
    [{ a: "ü" }, '{"a":"ü"}'],
    ["text", "text"],
    [0, "0"],
    [undefined, ""],
    ["bytes", "\x01\xff"],
  ] as const) {
    const { code, message } = await bind(sidecar, { name: "fine", value });
    assert.equal(code, status.OK);
    const encoding = value === "bytes" ? "latin1" : "utf8";
    assert.equal(Buffer.from(message?.data as Uint8Array).toString(encoding), data);
    assert.deepEqual([message?.to, message?.states, message?.storeName], [[], [], ""]);
  }
});

test("an error status says why, in any characters, and in production it does not", async (t) => {
  const open = await start(t, { module: outcomes });
  const closed = await start(t, { module: outcomes, env: { NODE_ENV: "production" } });

  assert.equal((await bind(open.sidecar, { name: "throws" })).details, "no luck: 100 % ü");
  assert.equal((await bind(closed.sidecar, { name: "throws" })).details, "Internal Server Error");
  await closed.framework.says("no luck");
});

test("an error in a timer, a tick or a promise of nobody fails its invocation, and the connection lives", async (t) => {
  const { sidecar, framework } = await start(t, { module: outcomes });

  const failures = await Promise.all(
    ["tick", "timer", "promise", "tick 2"].map((name) => bind(sidecar, { name })),
  );
  const after = await bind(sidecar, { name: "fine" });

  assert.deepEqual(
    failures.map(({ code, details }) => [code, details]),
    ["in a tick", "in a timer", "of nobody", "in a tick"].map((text) => [status.INTERNAL, text]),
  );
  assert.equal(after.code, status.OK);
  assert.ok(!framework.hasEnded());
});

test("--retry calls the function again, over gRPC as over HTTP", async (t) => {
  const { sidecar, framework } = await start(t, { module: outcomes, args: [`--retry=${often(3)}`] });

  const flaky = await bind(sidecar, { name: "flaky", value: "done" });
  const throws = await announce(sidecar, { name: "throws" });

  assert.equal(Buffer.from(flaky.message?.data as Uint8Array).toString(), "done");
  assert.deepEqual([throws.code, throws.message?.status], [status.OK, 1]);
  await framework.says("call 3 of throws;");
});

test("a bulk is answered entry by entry, on the stable and on the alpha method", async (t) => {
  const { sidecar } = await start(t, {
    module: `const { DropMessage } = require("@openfunction/functions-framework");
      exports.handle = (ctx, data) => {
        const seen = JSON.stringify([data, ctx.event?.id, ctx.input.metadata, ctx.rawBody.toString()]);
        if (data === "throw") throw new Error("no");
        if (data === "drop") throw new DropMessage("no");
        console.log(seen + ";");
      };`,
  });
  const cloudEvent = (id: string, data: unknown) => ({
    entryId: id,
    event: { case: "cloudEvent", value: { ...event, id, data: json(data), extensions: { time: "now" } } },
    contentType: "application/cloudevents+json",
    metadata: { Own: id },
  });
  const raw = (id: string, value: string, contentType: string) => ({
    entryId: id,
    event: { case: "bytes", value: Buffer.from(value) },
    contentType,
  });
  const bulk = {
    ...{
      id: "bulk",
      type: "com.dapr.event.sent.bulk",
      pubsubName: "stream",
      topic: "invoices/created",
      path,
    },
    metadata: { Shared: "x" },
    entries: [
      cloudEvent("a", { n: 1 }),
      cloudEvent("b", "throw"),
      cloudEvent("c", "drop"),
      raw("d", '{"raw":1}', "application/json"),
      raw("e", "text", "text/plain"),
      cloudEvent("", "no id"),
    ],
  };

  for (const method of ["OnBulkTopicEvent", "OnBulkTopicEventAlpha1"]) {
    const { code, message } = await sidecar.call(method, bulk);
    const statuses = message?.statuses as { entryId: string; status: number }[];
    assert.equal(code, status.OK);
    assert.deepEqual(Object.fromEntries(statuses.map((one) => [one.entryId, one.status])), {
      ...{ a: 0, b: 1, c: 2, d: 0, e: 0 },
    });
  }
  const { code, message } = await sidecar.call("OnBulkTopicEvent", { ...bulk, entries: [] });
  assert.deepEqual([code, message?.statuses], [status.OK, []]);
});

test("an event whose data Dapr has left out is delivered, with one warning a type", async (t) => {
  const { framework, sidecar } = await start(t, {
    module: `exports.handle = (ctx, data) => console.log("data " + typeof data + " " + ctx.event.datacontenttype + ";");`,
  });
  const send = (dataContentType: string) =>
    sidecar.call("OnTopicEvent", { ...delivery, dataContentType, data: new Uint8Array() });

  for (const type of ["foo/bar", "foo/bar", "foo/baz", "text/plain", "application/json"])
    assert.equal((await send(type)).code, status.OK);

  await framework.says("data undefined application/json;");
  assert.match(framework.stdout, /data undefined foo\/bar;/);
  const warnings = framework.logs().filter(({ message }) => message.includes("came without data"));
  assert.deepEqual(
    warnings.map(({ message }) => /"(.*)"/.exec(message)?.[1]),
    ["foo/bar", "foo/baz"],
  );
});

test("with APP_API_TOKEN an event needs the token", async (t) => {
  const { sidecar, framework } = await start(t, { module: outcomes, env: { APP_API_TOKEN: "s3cret" } });
  const send = (metadata: Record<string, string>) =>
    Promise.all([
      sidecar.call("OnBindingEvent", { name: "queue", data: json("fine") }, { metadata }),
      sidecar.call("OnTopicEvent", { ...delivery, data: json("fine") }, { metadata }),
      sidecar.call("OnBulkTopicEvent", { pubsubName: "stream", path }, { metadata }),
    ]);

  for (const metadata of [{}, { "dapr-api-token": "other" }] as Record<string, string>[])
    for (const { code, details } of await send(metadata)) {
      assert.equal(code, status.UNAUTHENTICATED);
      assert.match(details, /dapr-api-token/);
    }
  assert.doesNotMatch(framework.stdout, /call/);
  for (const { code } of await send({ "dapr-api-token": "s3cret" })) assert.equal(code, status.OK);
});

test("what is not there is an error that loses no message, with what there is", async (t) => {
  const { sidecar, framework } = await start(t, { module: outcomes });

  const binding = await sidecar.call("OnBindingEvent", { name: "Queue", data: json("x") });
  const topic = await sidecar.call("OnTopicEvent", {
    ...event,
    pubsubName: "stream",
    topic: "other",
    path: "/x",
  });
  const invoke = await sidecar.call("/dapr.proto.runtime.v1.AppCallback/OnInvoke");
  const job = await sidecar.call("/dapr.proto.runtime.v1.AppCallbackAlpha/OnJobEventAlpha1");
  const foreign = await sidecar.call("/helloworld.Greeter/SayHello");

  assert.deepEqual([binding.code, topic.code], [status.NOT_FOUND, status.NOT_FOUND]);
  assert.match(binding.details, /OnBindingEvent Queue .* queue, clock, topic:stream\/invoices\/created/);
  for (const { code } of [invoke, job, foreign]) assert.equal(code, status.UNIMPLEMENTED);
  await framework.says("FF_ROUTE_NOT_FOUND");
});

interface Rule {
  match: string;
  path: string;
}

test("inputs share a topic by rules, which the sidecar is told and goes by", async (t) => {
  const topic = { componentName: "stream", componentType: "pubsub.redis", uri: "shared" };
  const { sidecar } = await start(t, {
    module: "exports.handle = (ctx) => { throw new Error(ctx.input.name); };",
    env: asyncContext({ inputs: { some: { ...topic, match: 'event.type == "some"' }, rest: topic } }),
  });

  const { message } = await sidecar.call("ListTopicSubscriptions");
  const [subscription] = (message?.subscriptions ?? []) as { routes: { rules: Rule[] } }[];
  const [rule] = subscription?.routes.rules ?? [];
  const byRule = await sidecar.call("OnTopicEvent", {
    ...event,
    topic: "shared",
    pubsubName: "stream",
    path: rule?.path,
  });
  const byProxy = await sidecar.call("OnTopicEvent", {
    ...event,
    topic: "shared",
    pubsubName: "stream",
    path: "shared",
  });

  assert.equal(rule?.match, 'event.type == "some"');
  assert.deepEqual([byRule.code, byRule.message?.status], [status.OK, 1]);
  assert.equal(byProxy.details, "rest");
});

test("an event finds its input by path, or by what it says of itself", async (t) => {
  const { sidecar } = await start(t, { module: outcomes });
  const to = async (where: object) => {
    const { code, message } = await announce(sidecar, { name: "throws" }, where);
    return message?.status ?? code;
  };

  assert.equal(await to({ path, pubsubName: "", topic: "" }), 1, "the announced path alone");
  assert.equal(await to({ path: "/stream--invoices/created--default", pubsubName: "", topic: "" }), 1);
  assert.equal(await to({ path: "" }), 1, "a subscription in YAML without routes");
  assert.equal(await to({ path: "/my/own/route" }), 1, "a subscription in YAML with a route of its own");
  assert.equal(await to({ path: "invoices/created", pubsubName: "" }), status.UNAVAILABLE);
});

test("--max-concurrency counts, --queue waits, and above both a delivery comes again", async (t) => {
  const { sidecar, framework } = await start(t, {
    module: outcomes,
    args: ["--max-concurrency=1", "--queue=1"],
  });
  const first = sidecar.start("OnBindingEvent", { name: "queue", data: json({ name: "hangs", goOn: true }) });
  await framework.says("call 1 of hangs;");
  const second = bind(sidecar, { name: "fine" });
  // It is in line when the server has seen it: calls of one connection arrive in their order.
  const others = await Promise.all([bind, announce, proxy].map((one) => one(sidecar, { name: "third" })));
  first.cancel();

  assert.deepEqual(
    others.map(({ code, message }) => message?.status ?? code),
    [status.UNAVAILABLE, 1, status.UNAVAILABLE],
  );
  assert.match(others[0]?.details ?? "", /1 deliveries wait/);
  assert.equal((await second).code, status.OK);
  assert.doesNotMatch(framework.stdout, /third/);
});

test("--timeout fails an attempt and aborts its signal", async (t) => {
  const { sidecar, framework } = await start(t, { module: outcomes, args: ["--timeout=1"] });

  const replies = await Promise.all([bind, announce].map((one) => one(sidecar, { name: "hangs" })));

  assert.deepEqual(
    replies.map(({ code, message }) => message?.status ?? code),
    [status.INTERNAL, 1],
  );
  await framework.says("aborted hangs TimeoutError");
});

test("a caller that gives up, or whose grpc-timeout is over, aborts the signal", async (t) => {
  const { sidecar, framework } = await start(t, { module: outcomes, args: ["--max-concurrency=1"] });
  const call = sidecar.start("OnBindingEvent", { name: "queue", data: json({ name: "hangs-a" }) });
  await framework.says("call 1 of hangs-a;");

  call.cancel();
  await framework.says("aborted hangs-a Error The caller is gone.;");
  const late = await sidecar.call(
    "OnBindingEvent",
    { name: "queue", data: json({ name: "hangs-b" }) },
    { timeout: 500 },
  );

  assert.equal(late.code, status.DEADLINE_EXCEEDED);
  await framework.says("aborted hangs-b Error The caller is gone.;");
  assert.equal((await call.reply).code, status.CANCELLED);
  assert.equal((await bind(sidecar, { name: "fine" })).code, status.OK, "both places are free again");
});

test("HTTP/1.1 is served on the same port: health, metrics, and the app protocol", async (t) => {
  const { framework, sidecar } = await start(t, { module: outcomes, args: ["--health", "--metrics"] });
  const { url } = framework;
  await bind(sidecar, { name: "fine" });

  const [health, ready, metrics] = await Promise.all(
    ["/healthz", "/health/readiness", "/metrics"].map((one) => request(url + one)),
  );
  const posted = await postJson(`${url}/queue`, { name: "fine", value: "over HTTP" });

  assert.deepEqual([health?.status, ready?.status, posted.text], [200, 200, "over HTTP"]);
  assert.match(metrics?.text ?? "", /faas_invocations_total\{[^}]*\} 1/);
  assert.match(framework.stderr, /gRPC/);
});

test("APP_PROTOCOL that is no protocol of ours ends the start", async (t) => {
  const project = await makeUserProject(t, { "index.js": outcomes });
  const env = { ...asyncContext({ inputs }), APP_PROTOCOL: "grpcs" };

  const { code, stderr } = await runFramework(["--target=handle"], { project, env });

  assert.equal(code, 1);
  assert.match(stderr, /grpcs.* of APP_PROTOCOL is not http or grpc.*FF_OPTION_INVALID/);
});

test("a sync function stays HTTP, whatever APP_PROTOCOL says", async (t) => {
  const framework = await startModule(
    t,
    "exports.handle = (req, res) => res.send('hello');",
    ["--target=handle"],
    {
      env: { APP_PROTOCOL: "grpc" },
    },
  );

  assert.equal((await request(framework.url)).text, "hello");
});
