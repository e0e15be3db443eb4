/** A function in the async runtime, as a sidecar sees it. The sidecar is a node:http server that keeps what is sent to it. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";

import { announcedRoute } from "../../src/dapr/protocol";
import { type AppCall, type AppReply, startApp } from "../support/app";
import { makeProject } from "../support/project";
import { runFramework, startFramework } from "./support/framework";
import { converse, request } from "./support/http";

const inputs = {
  orders: { componentName: "mqtt-in", componentType: "bindings.mqtt3" },
  tick: { componentName: "clock", componentType: "bindings.cron" },
  created: { componentName: "stream", componentType: "pubsub.redis", uri: "invoices/created" },
};
const outputs = {
  archive: {
    componentName: "files",
    componentType: "bindings.mqtt3",
    operation: "create",
    metadata: { topic: "out" },
  },
  paid: { componentName: "stream", componentType: "pubsub.redis", uri: "invoices/paid" },
};
const route = announcedRoute("stream", "invoices/created");
const eventType = "application/cloudevents+json";

interface SetUp {
  module: string;
  context?: object;
  env?: Record<string, string>;
  sidecar?: (call: AppCall) => AppReply | undefined;
}

async function setUp(
  t: TestContext,
  { module, context = {}, env = {}, sidecar: answer = () => ({ status: 204 }) }: SetUp,
) {
  const sidecar = await startApp(answer);
  t.after(() => sidecar.stop());
  const project = makeProject(t, { "index.mjs": module, "package.json": '{"main":"index.mjs"}' });
  const FUNC_CONTEXT = JSON.stringify({
    name: "invoices",
    version: "v2",
    runtime: "Async",
    inputs,
    outputs,
    ...context,
  });
  const framework = await startFramework(["--target=handle"], {
    project,
    env: { FUNC_CONTEXT, DAPR_HTTP_PORT: String(sidecar.port), ...env },
  });
  t.after(() => framework.stop());
  const post = (
    path: string,
    body: string | Buffer,
    headers: Record<string, string> = { "Content-Type": "application/json" },
  ) => request(`${framework.url}${path}`, { method: "POST", body, headers });
  const postEvent = (path: string, event: object, headers = {}) =>
    post(path, JSON.stringify({ specversion: "1.0", id: "1", source: "s", type: "t", ...event }), {
      "Content-Type": eventType,
      ...headers,
    });
  return { framework, sidecar, post, postEvent };
}

/** Answers what the function was given as the value of a binding, so that a test can look at it. */
const mirror = `export const handle = (ctx, data) => ({
  data: Buffer.isBuffer(data) ? { bytes: data.toString("hex") } : data === undefined ? "undefined" : data,
  input: { ...ctx.input, metadata: ctx.input.metadata }, name: ctx.name, raw: ctx.rawBody.toString("latin1"),
  event: ctx.event?.id, req: typeof ctx.req, frozen: Object.isFrozen(ctx.inputs.orders) });`;

test("the sidecar learns of topics and bindings, and of nothing else", async (t) => {
  const { framework } = await setUp(t, { module: mirror });
  const options = async (path: string) =>
    (await request(`${framework.url}${path}`, { method: "OPTIONS" })).status;

  const subscriptions = (await request(`${framework.url}/dapr/subscribe`)).json();

  assert.deepEqual(subscriptions, [{ pubsubname: "stream", topic: "invoices/created", route }]);
  assert.equal(route, "/dapr/events/stream/invoices_2fcreated");
  assert.deepEqual(
    await Promise.all(["/mqtt-in", "/clock", "/files", "/stream", "/"].map(options)),
    [200, 200, 404, 404, 404],
  );
  assert.deepEqual((await request(`${framework.url}/dapr/config`)).json(), {});
  assert.equal((await request(`${framework.url}/healthz`)).status, 200);
});

test("an unknown path is 404 and names the routes there are", async (t) => {
  const { post, framework } = await setUp(t, { module: mirror });

  const reply = await post("/nobody", "{}");
  await framework.says("FF_ROUTE_NOT_FOUND");

  assert.equal(reply.status, 404);
  assert.match(reply.text, /POST \/mqtt-in/);
});

const bodies: [what: string, body: string | Buffer, expected: unknown][] = [
  ["an object", '{"a":1}', { a: 1 }],
  ["a list", "[1]", [1]],
  ["zero", "0", 0],
  ["null", "null", null],
  ["false", "false", false],
  ["an empty text", '""', ""],
  ["text that is no JSON", "hello", "hello"],
  ["bytes that are no text", Buffer.from([0xff, 0x00, 0xfe]), { bytes: "ff00fe" }],
  ["nothing, as a cron tick", "", {}],
];
test("a binding's data is decoded by its bytes, whatever the header says", async (t) => {
  const { post } = await setUp(t, { module: mirror });

  for (const [what, body, expected] of bodies) {
    const reply = await post("/mqtt-in", body);

    assert.equal(reply.status, 200, what);
    assert.deepEqual(reply.json().data, expected, what);
    assert.equal(reply.json().raw, body.toString("latin1"), what);
  }
});

test("ctx knows its input, the metadata and the function context", async (t) => {
  const { post } = await setUp(t, { module: mirror });

  const reply = (
    await post("/mqtt-in", "1", { "Content-Type": "application/json", Topic: "in/7", "dapr-api-token": "x" })
  ).json();

  assert.deepEqual(reply.input, {
    name: "orders",
    componentName: "mqtt-in",
    componentType: "bindings.mqtt3",
    metadata: { topic: "in/7" },
  });
  assert.deepEqual([reply.name, reply.req, reply.frozen], ["invoices", "undefined", true]);
});

const topicModule = `export const handle = (ctx, data) => {
  console.log(JSON.stringify({ data: Buffer.isBuffer(data) ? data.toString("hex") : data === undefined ? "undefined" : data, id: ctx.event?.id ?? null, topic: ctx.input.topic })); };`;
const envelopes: [what: string, event: object, expected: unknown][] = [
  ["an object", { data: { a: 1 } }, { a: 1 }],
  ["zero", { data: 0 }, 0],
  ["null", { data: null }, null],
  ["false", { data: false }, false],
  ["an empty text", { data: "" }, ""],
  [
    "JSON in base64",
    { data_base64: Buffer.from('{"b":2}').toString("base64"), datacontenttype: "application/json" },
    { b: 2 },
  ],
  [
    "text in base64",
    { data_base64: Buffer.from("text").toString("base64"), datacontenttype: "text/plain" },
    "text",
  ],
  ["bytes in base64", { data_base64: "/wA=", data: "ignored" }, "ff00"],
  ["no data", {}, "undefined"],
];
test("a topic's data is what the event carries, falsy values too", async (t) => {
  const { postEvent, framework } = await setUp(t, { module: topicModule });

  for (const [what, event, expected] of envelopes) {
    const reply = await postEvent(route, { id: what, ...event });
    await framework.says(JSON.stringify({ data: expected, id: what, topic: "invoices/created" }));

    assert.deepEqual([reply.status, reply.json()], [200, { status: "SUCCESS" }], what);
  }
});

test("what is no CloudEvent is data as a whole", async (t) => {
  const { post, framework } = await setUp(t, { module: topicModule });

  await post(route, '{"plain":1}', { "Content-Type": eventType });
  await framework.says('{"data":{"plain":1},"id":null');
  await post(route, "just text", { "Content-Type": eventType });
  await framework.says('{"data":"just text","id":null');
});

test("a throw is RETRY in the words of each caller, and the next delivery is untouched", async (t) => {
  const { post, postEvent, framework } = await setUp(t, {
    module: `export const handle = (ctx, data) => { if (data === "bad") throw new Error("cannot"); };`,
  });

  const announced = await postEvent(route, { data: "bad" });
  const bare = await postEvent("/invoices/created", { data: "bad" }, { pubsubName: "stream" });
  const encoded = await postEvent("/invoices%2Fcreated", { data: "bad" });
  const upstream = await postEvent("/stream--invoices/created--default", { data: "bad" });
  const binding = await post("/mqtt-in", '"bad"');
  const after = [await postEvent(route, { data: "good" }), await post("/mqtt-in", '"good"')];

  assert.deepEqual([announced.status, announced.json()], [200, { status: "RETRY" }]);
  assert.deepEqual([upstream.status, upstream.json()], [200, { status: "RETRY" }]);
  assert.deepEqual([bare.status, encoded.status, binding.status], [500, 500, 500]);
  assert.equal(binding.json().error, "cannot");
  assert.deepEqual(
    [binding.headers["x-openfunction-status"], binding.headers["x-google-status"]],
    ["error", "error"],
  );
  assert.deepEqual(
    after.map(({ status }) => status),
    [200, 200],
  );
  await framework.says("cannot");
});

test("null, an error in a timer and a rejection nobody catches fail the delivery they belong to", async (t) => {
  const { post } = await setUp(t, {
    module: `export const handle = async (ctx, data) => {
        if (data === "null") return Promise.reject(null);
        if (data === "timer") { setTimeout(() => { throw new Error("late"); }, 5); await new Promise(() => {}); }
        if (data === "rejection") { Promise.reject(new Error("nobody")); await new Promise(() => {}); }
      };`,
  });

  const statuses = await Promise.all(
    ["null", "timer", "rejection", "fine"].map(
      async (what) => (await post("/mqtt-in", JSON.stringify(what))).status,
    ),
  );

  assert.deepEqual(statuses, [500, 500, 500, 200]);
});

test("what is sent reaches the outputs as their kind wants it", async (t) => {
  const { post, sidecar } = await setUp(t, {
    module: `export const handle = async (ctx, data) => {
        const all = await ctx.send({ n: 1 });
        await ctx.send("text", "archive", { operation: "append", metadata: { topic: "other" } });
        await ctx.send(Buffer.from("bytes"), "archive");
        await ctx.send(Buffer.from("bytes"), "paid", { metadata: { ttlInSeconds: "5", partitionKey: "a b" } });
        await ctx.send("text", "paid", { contentType: "text/plain" });
        await ctx.send({ specversion: "1.0", id: "1", source: "s", type: "t" }, "paid");
        return all.map((one) => [one.status, one.value.output, one.value.status]);
      };`,
  });

  const reply = await post("/mqtt-in", "1");

  assert.deepEqual(reply.json(), [
    ["fulfilled", "archive", 204],
    ["fulfilled", "paid", 204],
  ]);
  const calls = sidecar.calls.map(({ url, headers, body }) => [url, headers["content-type"], body]);
  const ofBinding = calls
    .filter(([url]) => url === "/v1.0/bindings/files")
    .map(([, , body]) => JSON.parse(body ?? ""));
  assert.deepEqual(ofBinding, [
    { operation: "create", data: { n: 1 }, metadata: { topic: "out" } },
    { operation: "append", data: "text", metadata: { topic: "other" } },
    { operation: "create", data: Buffer.from("bytes").toString("base64"), metadata: { topic: "out" } },
  ]);
  assert.deepEqual(
    calls.filter(([url]) => url?.startsWith("/v1.0/publish/")),
    [
      ["/v1.0/publish/stream/invoices/paid", "application/json", '{"n":1}'],
      [
        "/v1.0/publish/stream/invoices/paid?metadata.ttlInSeconds=5&metadata.partitionKey=a%20b",
        "application/octet-stream",
        "bytes",
      ],
      ["/v1.0/publish/stream/invoices/paid", "text/plain", "text"],
      [
        "/v1.0/publish/stream/invoices/paid",
        eventType,
        '{"specversion":"1.0","id":"1","source":"s","type":"t"}',
      ],
    ],
  );
});

test("a failed send fails the delivery, awaited or not; a caught one does not", async (t) => {
  const refuse = {
    status: 500,
    body: { errorCode: "ERR_INVOKE_OUTPUT_BINDING", message: "the disk is full" },
  };
  const { post } = await setUp(t, {
    sidecar: ({ url }) => (url.startsWith("/v1.0/bindings/") ? refuse : { status: 204 }),
    module: `export const handle = async (ctx, data) => {
        if (data === "unawaited") ctx.send(1);
        if (data === "awaited") await ctx.send(1);
        if (data === "caught") await ctx.send(1, "archive").catch(() => {});
        if (data === "inspected") return await ctx.send(1).catch((err) => [err.code, err.results.map((one) => one.status)]);
        if (data === "unknown") await ctx.send(1, "archve");
        if (data === "cyclic") { const cycle = {}; cycle.self = cycle; await ctx.send(cycle, "paid"); }
      };`,
  });
  const ask = async (what: string) => {
    const { status, text } = await post("/mqtt-in", JSON.stringify(what));
    return { status, text };
  };

  for (const what of ["unawaited", "awaited"]) {
    const { status, text } = await ask(what);
    assert.equal(status, 500, what);
    assert.match(text, /output \\"archive\\".*ERR_INVOKE_OUTPUT_BINDING.*the disk is full/, what);
  }
  assert.equal((await ask("caught")).status, 200);
  assert.deepEqual(JSON.parse((await ask("inspected")).text), ["FF_SEND_FAILED", ["rejected", "fulfilled"]]);
  assert.match((await ask("unknown")).text, /no output \\"archve\\".*\\"archive\\", \\"paid\\"/);
  assert.match((await ask("cyclic")).text, /cannot be written as JSON/);
});

test("a failed send that was handed on to nobody fails the delivery too", async (t) => {
  const { post } = await setUp(t, {
    sidecar: ({ url }) => (url.startsWith("/v1.0/bindings/") ? { status: 500 } : { status: 204 }),
    module: `const helper = async (ctx) => { await ctx.send(1, "archive"); };
      export const handle = (ctx, data) => {
        if (data === "helper") helper(ctx);
        if (data === "all") Promise.all([ctx.send(1, "archive")]);
        if (data === "finally") ctx.send(1, "archive").finally(() => {});
        if (data === "then") ctx.send(1, "archive").then(() => {});
        if (data === "caught") ctx.send(1, "archive").then(() => {}).catch(() => {});
      };`,
  });

  const statuses = [];
  for (const what of ["helper", "all", "finally", "then", "caught"])
    statuses.push((await post("/mqtt-in", JSON.stringify(what))).status);

  assert.deepEqual(statuses, [500, 500, 500, 500, 200]);
});

test("data that is not what its type says reaches the function as bytes, and nobody dies", async (t) => {
  const { postEvent, framework } = await setUp(t, { module: topicModule });

  const reply = await postEvent(route, {
    id: "odd",
    data_base64: Buffer.from("{").toString("base64"),
    datacontenttype: "application/json",
  });
  await framework.says('{"data":"7b","id":"odd"');
  const charset = await postEvent(route, {
    id: "odder",
    data_base64: "ew==",
    datacontenttype: "text/plain; charset=nonsense",
  });

  assert.deepEqual([reply.status, charset.status], [200, 200]);
});

test("a then that throws fails its delivery only", async (t) => {
  const { post } = await setUp(t, {
    module: `export const handle = (ctx, data) => {
        if (data === "getter") return Object.defineProperty({}, "then", { get() { throw new Error("odd"); } });
        if (data === "call") return { then() { throw new Error("odd"); } };
      };`,
  });

  const statuses = [];
  for (const what of ["getter", "call", "fine"])
    statuses.push((await post("/mqtt-in", JSON.stringify(what))).status);

  assert.deepEqual(statuses, [500, 500, 200]);
});

test("a sidecar that hangs does not hold up the end beyond the grace period", async (t) => {
  const { post, framework, sidecar } = await setUp(t, {
    env: { FF_GRACE_PERIOD: "0.3" },
    module: "export const handle = (ctx) => ctx.send(1);",
    sidecar: () => new Promise(() => undefined) as never,
  });
  post("/mqtt-in", "1").catch(() => undefined);
  await sidecar.count("POST", "/v1.0/bindings/files", 1);
  const started = Date.now();

  framework.kill("SIGTERM");
  const { code } = await framework.ended();

  assert.equal(code, 0);
  assert.ok(Date.now() - started < 20_000, "undici's own limit is 30 s");
});

test("a topic with empty levels is sent as it is", async (t) => {
  const uri = "/home//temp/";
  const { post, sidecar } = await setUp(t, {
    module: "export const handle = (ctx) => ctx.send(1);",
    context: { outputs: { odd: { componentName: "stream", componentType: "pubsub.mqtt3", uri } } },
  });

  await post("/mqtt-in", "1");

  assert.equal(sidecar.calls[0]?.url, `/v1.0/publish/stream/${encodeURIComponent(uri)}`);
});

test("odd arguments of send are answered in words, null means all outputs", async (t) => {
  const { post } = await setUp(t, {
    module: `export const handle = async (ctx, data) => {
        const told = (work) => work.then((all) => all.length, (err) => err.code + " " + (err.results?.[0]?.reason?.code ?? ""));
        return [await told(ctx.send(1, null, null)), await told(ctx.send(1, 5)), await told(ctx.send(Symbol("s"), "archive")), await told(ctx.send(() => 1, "paid"))];
      };`,
  });

  const reply = await post("/mqtt-in", "1");

  assert.deepEqual(reply.json(), [
    2,
    "FF_SEND_UNKNOWN_OUTPUT ",
    "FF_SEND_FAILED FF_SEND_UNSERIALISABLE",
    "FF_SEND_FAILED FF_SEND_UNSERIALISABLE",
  ]);
});

test("the sends of one invocation keep their order per output", async (t) => {
  const { post, sidecar } = await setUp(t, {
    module: `export const handle = (ctx) => { for (let i = 0; i < 20; i++) ctx.send(i, "archive"); };`,
  });

  await post("/mqtt-in", "1");

  assert.deepEqual(
    sidecar.calls.map(({ body }) => JSON.parse(body).data),
    Array.from({ length: 20 }, (_, i) => i),
  );
});

test("a sidecar that is not there fails the delivery with its address", async (t) => {
  const { post, sidecar } = await setUp(t, {
    module: "export const handle = (ctx) => ctx.send(1, undefined, { timeoutMs: 500 });",
  });
  await sidecar.stop();

  const reply = await post("/mqtt-in", "1");

  assert.equal(reply.status, 500);
  assert.match(reply.json().error, new RegExp(`${sidecar.origin} is not ready after 0.5 s: .*ECONNREFUSED`));
});

test("50 deliveries at once never see each other's ctx", async (t) => {
  const { post } = await setUp(t, {
    module: `export const handle = async (ctx, data) => {
        const fresh = Object.keys(ctx.locals).length === 0;
        ctx.locals.mine = data;
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
        return { fresh, same: ctx.locals.mine === data, id: ctx.id, data };
      };`,
  });

  const replies = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => (await post("/mqtt-in", String(i))).json()),
  );

  assert.ok(replies.every(({ fresh, same }) => fresh && same));
  assert.deepEqual(
    replies.map(({ data }) => data),
    Array.from({ length: 50 }, (_, i) => i),
  );
  assert.equal(new Set(replies.map(({ id }) => id)).size, 50);
});

test("APP_API_TOKEN must be sent by the sidecar, DAPR_API_TOKEN goes to it", async (t) => {
  const { post, framework, sidecar } = await setUp(t, {
    module: "export const handle = (ctx) => ctx.send(1);",
    env: { APP_API_TOKEN: "in-token", DAPR_API_TOKEN: "out-token" },
  });

  const refused = [await post("/mqtt-in", "1"), await post("/mqtt-in", "1", { "dapr-api-token": "wrong" })];
  const taken = await post("/mqtt-in", "1", { "dapr-api-token": "in-token" });

  assert.deepEqual(
    refused.map(({ status }) => status),
    [401, 401],
  );
  assert.equal((await request(`${framework.url}/healthz`)).status, 200);
  assert.equal(taken.status, 200);
  assert.deepEqual(
    sidecar.calls.map(({ headers }) => headers["dapr-api-token"]),
    ["out-token", "out-token"],
  );
});

test("a body over the limit is refused, and the next one is taken", async (t) => {
  const { post } = await setUp(t, { module: mirror, env: { FF_BODY_LIMIT: "1kb" } });

  const large = await post("/mqtt-in", JSON.stringify("x".repeat(2000)));
  const small = await post("/mqtt-in", '"x"');

  assert.deepEqual([large.status, small.status], [413, 200]);
});

test("SIGTERM lets a delivery end, with its sends", async (t) => {
  const { post, framework, sidecar } = await setUp(t, {
    module: `export const handle = async (ctx) => { console.log("begun"); await new Promise((r) => setTimeout(r, 300)); await ctx.send(1, "archive"); };`,
  });

  const reply = post("/mqtt-in", "1");
  await framework.says("begun");
  framework.kill("SIGTERM");

  assert.equal((await reply).status, 200);
  assert.equal((await framework.ended()).code, 0);
  assert.equal(sidecar.calls.length, 1);
});

test("ctx.dapr() is a ready client of the unchanged SDK, one a process", async (t) => {
  const { post, sidecar } = await setUp(t, {
    sidecar: ({ url }) => (url.startsWith("/v1.0/metadata") ? { body: { id: "app" } } : { status: 204 }),
    module: `export const handle = async (ctx) => {
        const client = await ctx.dapr();
        await client.pubsub.publish("stream", "from-sdk", { n: 1 });
        return client === (await ctx.dapr()) && process.env.DAPR_CLIENT_PORT === undefined;
      };`,
  });

  const reply = await post("/mqtt-in", "1");

  assert.equal(reply.json(), true);
  assert.deepEqual(
    sidecar.calls.filter(({ url }) => url.includes("from-sdk")).map(({ body }) => body),
    ['{"n":1}'],
  );
});

test("a function registered under another signature cannot be fed by Dapr", async (t) => {
  const project = makeProject(t, {
    "index.cjs": `require("@openfunction/functions-framework").http("handle", () => {});`,
    "package.json": '{"main":"index.cjs"}',
  });
  mkdirSync(`${project}/node_modules/@openfunction`, { recursive: true });
  symlinkSync(`${__dirname}/../..`, `${project}/node_modules/@openfunction/functions-framework`);

  const ending = await runFramework(["--target=handle", "--port=0"], {
    project,
    env: { FUNC_CONTEXT: JSON.stringify({ name: "x", runtime: "async", inputs }) },
  });

  assert.equal(ending.code, 1);
  assert.match(ending.stderr, /FF_SIGNATURE_CONFLICT/);
});

test("pipelined deliveries do not wait for each other's places", async (t) => {
  const { framework } = await setUp(t, {
    module: "export const handle = (ctx, data) => data;",
    env: { FF_MAX_CONCURRENCY: "1" },
  });
  const post = (body: Buffer, headers: string) =>
    Buffer.concat([
      Buffer.from(`POST /mqtt-in HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${body.length}\r\n\r\n`),
      body,
    ]);
  const first = post(gzipSync("inflated"), "Content-Encoding: gzip\r\n"); // is ready after the second
  const second = post(Buffer.from("plain"), "Connection: close\r\n");

  const text = await converse(framework.port, Buffer.concat([first, second]));

  assert.match(text, /^HTTP\/1\.1 200 [\s\S]*inflatedHTTP\/1\.1 200 [\s\S]*plain$/);
});
