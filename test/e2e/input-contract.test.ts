/** What inputs of the function context ask of a sidecar, and what they make of what it sends: bulks, raw, odd callers. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { canRewrite } from "../support/deep-json";
import { runFramework } from "./support/framework";
import { postJson, request } from "./support/http";
import { makeUserProject, startModule } from "./support/modules";

const inputs = {
  orders: {
    componentName: "stream",
    componentType: "pubsub.redis",
    uri: "orders",
    metadata: { rawPayload: "true" },
    deadLetterTopic: "orders-dead",
    bulkSubscribe: { enabled: true, maxMessagesCount: 10, maxAwaitDurationMs: 50 },
  },
  dead: { componentName: "stream", componentType: "pubsub.redis", uri: "orders-dead" },
  plain: {
    componentName: "other",
    componentType: "pubsub.redis",
    uri: "orders",
    bulkSubscribe: { enabled: false },
  },
  files: { componentName: "files", componentType: "bindings.mqtt3", metadata: { route: "/in/files" } },
  tick: { componentName: "tick", componentType: "bindings.cron" },
};

/** Writes a line a call: input, data, event, metadata, and throws or drops by the data. */
const module = `
  const { DropMessage } = require("@openfunction/functions-framework");
  let calls = 0;
  exports.handle = (ctx, data) => {
    const shown = Buffer.isBuffer(data) ? { bytes: data.toString("latin1") } : data;
    console.log(JSON.stringify({ input: ctx.input.name, data: shown, event: ctx.event?.id, key: ctx.input.metadata.key,
      bulk: ctx.input.metadata.bulk, raw: ctx.rawBody.toString("latin1"), type: ctx.event?.type, call: ++calls }));
    if (data === "bad") throw new Error("no luck");
    if (data === "never") throw new DropMessage("it is no order");
  };`;

const noPause = JSON.stringify({ maxAttempts: 1, backoff: { initial: 0 } });

async function start(t: TestContext, context: object = { inputs }, env: Record<string, string> = {}) {
  const framework = await startModule(t, module, ["--target=handle", `--retry=${noPause}`], {
    env: { FUNC_CONTEXT: JSON.stringify({ name: "f", runtime: "Async", ...context }), ...env },
  });
  /** What the first so many calls were given. */
  const lines = async (count: number) => {
    await framework.says(`"call":${count}}`);
    return framework.stdout
      .split("\n")
      .filter((line) => line.startsWith('{"input"'))
      .map((line) => JSON.parse(line));
  };
  return { framework, url: framework.url, lines };
}

const eventType = { "Content-Type": "application/cloudevents+json" };
const event = (data: unknown, more: object = {}) => ({
  id: "e",
  source: "/",
  type: "t",
  specversion: "1.0",
  data,
  ...more,
});

test("the subscriptions say all that the context says of a topic", async (t) => {
  const { url } = await start(t);

  const subscriptions = (await request(`${url}/dapr/subscribe`)).json();

  assert.deepEqual(subscriptions, [
    {
      pubsubname: "stream",
      topic: "orders",
      route: announcedRoute("stream", "orders"),
      metadata: { rawPayload: "true" },
      deadLetterTopic: "orders-dead",
      bulkSubscribe: { enabled: true, maxMessagesCount: 10, maxAwaitDurationMs: 50 },
    },
    { pubsubname: "stream", topic: "orders-dead", route: announcedRoute("stream", "orders-dead") },
    { pubsubname: "other", topic: "orders", route: announcedRoute("other", "orders") },
  ]);
});

test("inputs with a rule share a topic: one subscription, a path for each, and the bare topic for the rest", async (t) => {
  const stream = { componentName: "stream", componentType: "pubsub.redis", uri: "orders" };
  const { url, lines } = await start(t, {
    inputs: {
      "created/eu": { ...stream, match: 'event.type == "created"', deadLetterTopic: "dead" },
      rest: stream,
      cancelled: { ...stream, match: 'event.type == "cancelled"' },
      alone: { ...stream, uri: "alone", match: "event.data.n > 1" },
    },
  });
  const path = announcedRoute("stream", "orders");

  const subscriptions = (await request(`${url}/dapr/subscribe`)).json();
  for (const to of [
    `${path}/created_2feu`,
    `${path}/cancelled`,
    path,
    "/orders",
    `${announcedRoute("stream", "alone")}/alone`,
    "/alone",
  ])
    await postJson(
      url + to,
      event(to, { pubsubname: "stream", topic: to.includes("alone") ? "alone" : "orders" }),
      eventType,
    );

  assert.deepEqual(subscriptions, [
    {
      pubsubname: "stream",
      topic: "orders",
      routes: {
        rules: [
          { match: 'event.type == "created"', path: `${path}/created_2feu` },
          { match: 'event.type == "cancelled"', path: `${path}/cancelled` },
        ],
        default: path,
      },
      deadLetterTopic: "dead",
    },
    {
      pubsubname: "stream",
      topic: "alone",
      routes: { rules: [{ match: "event.data.n > 1", path: `${announcedRoute("stream", "alone")}/alone` }] },
    },
  ]);
  assert.deepEqual(
    (await lines(6)).map(({ input }) => input),
    ["created/eu", "cancelled", "rest", "rest", "alone", "alone"],
  );
});

const bulk = (entries: unknown[]) => ({
  id: "b",
  type: "com.dapr.event.sent.bulk",
  topic: "orders",
  pubsubname: "stream",
  metadata: { Bulk: "of all" },
  entries,
});

test("every message of a bulk has its own call and its own outcome", async (t) => {
  const { url, lines } = await start(t);
  const cloud = "application/cloudevents+json";
  const base64 = (text: string) => Buffer.from(text).toString("base64");

  const reply = await postJson(
    url + announcedRoute("stream", "orders"),
    bulk([
      { entryId: "1", event: event({ n: 1 }, { id: "one" }), contentType: cloud, metadata: { Key: "k1" } },
      { entryId: "2", event: event("bad"), contentType: cloud, metadata: null },
      { entryId: "3", event: event("never"), contentType: cloud },
      { entryId: "4", event: base64("raw"), contentType: "application/octet-stream" },
      { entryId: "5", event: base64('{"j":5}'), contentType: "application/json" },
      { entryId: "6", event: base64("text"), contentType: "text/plain" },
      { entryId: "7", event: event(0), contentType: cloud },
      { entryId: "8", event: null },
      { event: event("nobody could be told") },
      "nonsense",
    ]),
  );

  assert.equal(reply.status, 200);
  const statuses = new Map(
    reply.json().statuses.map((one: { entryId: string; status: string }) => [one.entryId, one.status]),
  );
  assert.deepEqual(
    ["1", "2", "3", "4", "5", "6", "7", "8"].map((id) => statuses.get(id)),
    ["SUCCESS", "RETRY", "DROP", "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"],
  );
  assert.equal(statuses.size, 8);
  const calls = await lines(8);
  const [first] = calls;
  assert.deepEqual([first.input, first.event, first.key, first.bulk], ["orders", "one", "k1", "of all"]);
  assert.deepEqual(
    calls.map(({ data }) => data),
    [{ n: 1 }, "bad", "never", { bytes: "raw" }, { j: 5 }, "text", 0, null],
  );
});

test("an empty bulk is answered, and what is no bulk is a message", async (t) => {
  const { url, lines } = await start(t);
  const route = url + announcedRoute("stream", "orders");

  const empty = await postJson(route, bulk([]));
  const odd = await postJson(route, { type: "com.dapr.event.sent.bulk", entries: "none" });

  assert.deepEqual(empty.json(), { statuses: [] });
  assert.deepEqual(odd.json(), { status: "SUCCESS" });
  assert.deepEqual((await lines(1))[0].data, { type: "com.dapr.event.sent.bulk", entries: "none" });
});

test("a hundred messages of a bulk run at once, within the limit, and all have an answer", async (t) => {
  const framework = await startModule(
    t,
    `let open = 0, most = 0;
     exports.handle = async () => {
       most = Math.max(most, ++open);
       await new Promise((resolve) => setTimeout(resolve, 5));
       open--;
       console.log("most " + most + ";");
     };`,
    ["--target=handle", "--max-concurrency=7", "--queue=50", `--retry=${noPause}`],
    { env: { FUNC_CONTEXT: JSON.stringify({ runtime: "Async", inputs }) } },
  );
  const entries = Array.from({ length: 100 }, (_, index) => ({
    entryId: String(index),
    event: event(index),
  }));

  const reply = await postJson(framework.url + announcedRoute("stream", "orders"), bulk(entries));

  const words = reply.json().statuses.map(({ status }: { status: string }) => status);
  assert.equal(words.filter((word: string) => word === "SUCCESS").length, 57);
  assert.equal(words.filter((word: string) => word === "RETRY").length, 43); // more than may wait
  await framework.says("most 7;");
  assert.doesNotMatch(framework.stdout, /most ([89]|\d\d)/);
  assert.doesNotMatch(framework.stderr, /MaxListeners/);
});

test("a raw message is its bytes", async (t) => {
  const { url, lines } = await start(t);
  const raw = event(undefined, {
    datacontenttype: "application/octet-stream",
    data_base64: Buffer.from("\xff\x00", "latin1").toString("base64"),
  });

  await postJson(url + announcedRoute("stream", "orders"), raw, eventType);

  assert.deepEqual((await lines(1))[0].data, { bytes: "\xff\x00" });
});

test("an event that dapr-proxy posts to the path of another input reaches its own", async (t) => {
  const { url, lines } = await start(t);
  const post = (path: string, more: object, headers = {}) =>
    postJson(url + path, event(1, more), { ...eventType, ...headers });

  await post("/orders-dead", { pubsubname: "other", topic: "orders" });
  await post("/files", { pubsubname: "stream", topic: "orders-dead" });
  await post("/orders", {}, { pubsubName: "other" });
  await post("/orders", { pubsubname: "unknown", topic: "unknown" });

  assert.deepEqual(
    (await lines(4)).map(({ input }) => input),
    ["plain", "dead", "plain", "orders"],
  );
});

test("a binding with a route is reached there and by its name", async (t) => {
  const { url, lines } = await start(t);
  const probe = async (path: string) => (await request(url + path, { method: "OPTIONS" })).status;

  const probes = [
    await probe("/in/files"),
    await probe("/files"),
    await probe("/in"),
    await probe("/orders"),
  ];
  await postJson(`${url}/in/files`, 1);
  await postJson(`${url}/files`, 2);

  assert.deepEqual(probes, [200, 200, 404, 404]);
  assert.deepEqual(
    (await lines(2)).map(({ input, data }) => [input, data]),
    [
      ["files", 1],
      ["files", 2],
    ],
  );
});

test("an empty chunked body is a message that the sidecar has lost, but of cron it is a tick", async (t) => {
  const { framework, url, lines } = await start(t);
  const chunked = (path: string) =>
    request(url + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Transfer-Encoding": "chunked" },
      body: [],
    });

  const lost = await chunked("/files");
  const tick = await chunked("/tick");
  const empty = await request(`${url}/files`, { method: "POST", body: "" });
  await framework.says("FF_DELIVERY_BODY_LOST");

  assert.deepEqual([lost.status, tick.status, empty.status], [500, 200, 200]);
  assert.deepEqual(
    (await lines(2)).map(({ input, data }) => [input, data]),
    [
      ["tick", {}],
      ["files", {}],
    ],
  );
});

test("what a traced function in Go has wrapped is unwrapped, on a topic and from a binding", async (t) => {
  const { url, lines } = await start(t);
  const wrapped = event(
    { metadata: { sw8: "x" }, userData: Buffer.from('{"paid":true}').toString("base64") },
    { id: "inner", type: "io.openfunction.function.default.pay" },
  );
  const post = (path: string, value: unknown, headers = {}) => postJson(url + path, value, headers);

  await post(announcedRoute("other", "orders"), event(wrapped, { id: "outer" }), eventType);
  await post(announcedRoute("other", "orders"), wrapped, eventType);
  await post("/files", wrapped);
  await post("/files", { ...wrapped, data: "not wrapped" });

  assert.deepEqual(
    (await lines(4)).slice(0, 3).map(({ data, event: id }) => [data, id]),
    [
      [{ paid: true }, "outer"],
      [{ paid: true }, "inner"],
      [{ paid: true }, "inner"],
    ],
  );
  assert.equal((await lines(4))[3].data.data, "not wrapped");
});

test("a wrong token is 401 for deliveries and questions, and health needs none", async (t) => {
  const { url } = await start(t, { inputs }, { APP_API_TOKEN: "secret" });
  const ask = (path: string, token?: string) =>
    request(url + path, { headers: token === undefined ? {} : { "dapr-api-token": token } });

  const statuses = [
    (await ask("/healthz")).status,
    (await ask("/dapr/subscribe")).status,
    (await ask("/dapr/subscribe", "secre")).status,
    (await ask("/dapr/subscribe", "secret")).status,
    (await postJson(`${url}/tick`, {})).status,
    (await postJson(`${url}/tick`, {}, { "dapr-api-token": "secret" })).status,
  ];

  assert.deepEqual(statuses, [200, 401, 401, 200, 401, 200]);
});

test("hooks of the second document run, and what it declares to be read is on ctx and delivers nothing", async (t) => {
  const framework = await startModule(
    t,
    `exports.handle = (ctx) => { console.log(JSON.stringify([ctx.locals.by, Object.keys(ctx.inputs), ctx.prePlugins])); };`,
    ["--target=handle"],
    {
      env: {
        FUNC_CONTEXT: JSON.stringify({ runtime: "Async", inputs, prePlugins: ["late"] }),
        FUNC_CONTEXT_V1BETA2: JSON.stringify({
          triggers: { dapr: [] },
          inputs: { store: { componentName: "store", componentType: "state.redis" } },
          preHooks: ["early"],
          postHooks: ["go-only"],
        }),
      },
      files: {
        "plugins/two.js": `const { Plugin } = require("@openfunction/functions-framework");
          const make = (name) => class extends Plugin {
            constructor() { super(name); }
            execPreHook(ctx) { (ctx.locals.by ??= []).push(name); }
          };
          exports.Late = make("late"); exports.Early = make("early");`,
      },
    },
  );

  await postJson(`${framework.url}/tick`, {});
  const probe = await request(`${framework.url}/store`, { method: "OPTIONS" });

  await framework.says(
    '[["early","late"],["store","orders","dead","plain","files","tick"],["early","late"]]',
  );
  await framework.says("postHooks of FUNC_CONTEXT_V1BETA2 names go-only");
  assert.equal(probe.status, 404);
});

test("the second document alone makes an asynchronous function; a topic it does not tell is an error of the send", async (t) => {
  const framework = await startModule(
    t,
    `exports.handle = (ctx) => ctx.send("x", "out").catch((err) => err.results[0].reason.code);`,
    ["--target=handle"],
    {
      env: {
        FUNC_CONTEXT_V1BETA2: JSON.stringify({
          name: "f",
          triggers: { dapr: [{ name: "queue", type: "bindings.kafka" }] },
          outputs: { out: { componentName: "stream", componentType: "pubsub.redis" } },
        }),
      },
    },
  );

  const reply = await postJson(`${framework.url}/queue`, {});

  assert.equal(reply.text, "FF_SEND_TOPIC_MISSING");
});

test("problems of both documents are told at once", async (t) => {
  const project = await makeUserProject(t, { "index.js": module });

  const { code, stderr } = await runFramework(["--target=handle", '--context={"runtime":"cloud"}'], {
    project,
    env: { FUNC_CONTEXT: "not looked at", FUNC_CONTEXT_V1BETA2: '{"triggers":[]}' },
  });

  assert.equal(code, 1);
  assert.match(stderr, /FUNC_CONTEXT has a problem: runtime must be/);
  assert.match(stderr, /FUNC_CONTEXT_V1BETA2 has a problem: triggers must be an object, not a list/);
});

test("a context of an old spec is served, and one line says so", async (t) => {
  const { framework, url, lines } = await start(t, {
    runtime: "OpenFuncAsync",
    inputs: { cron: { uri: "cron", component: "clock", type: "bindings" } },
  });

  await postJson(`${url}/clock`, 1);

  assert.equal((await lines(1))[0].input, "cron");
  assert.equal(framework.logs().filter(({ message }) => message.includes("old form v0.2")).length, 1);
});

test("a message of a bulk that is nested too deep for JSON fails nobody but its reader", async (t) => {
  const framework = await startModule(
    t,
    `exports.handle = (ctx) => { if (ctx.event.id === "reads") ctx.rawBody.toString(); };`,
    ["--target=handle"],
    { env: { FUNC_CONTEXT: JSON.stringify({ name: "f", runtime: "Async", inputs }) } },
  );
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const entry = (id: string) =>
    `{"entryId":"${id}","event":{"specversion":"1.0","id":"${id}","source":"/","type":"t","data":${deep}}}`;
  const entries = [entry("reads"), entry("looks")].join(",");

  const reply = await request(framework.url + announcedRoute("stream", "orders"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: `{"id":"1","type":"com.dapr.event.sent.bulk","entries":[${entries}]}`,
  });

  const statuses = reply.json().statuses as { entryId: string; status: string }[];
  assert.deepEqual(statuses.map(({ entryId, status }) => [entryId, status]).sort(), [
    ["looks", "SUCCESS"],
    ["reads", canRewrite(deep) ? "SUCCESS" : "RETRY"],
  ]);
  assert.equal((await request(`${framework.url}/healthz`)).status, 200);
});
