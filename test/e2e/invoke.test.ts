/** `./testing` inside a test runner: invoke() for every signature, and servers whose errors belong to their request. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";

import * as functions from "../../src/index";
import { getFunction, getTestServer, invoke } from "../../src/testing";
import { postJson, request } from "./support/http";

functions.http("seen", (req, res) => {
  const { method, originalUrl, body } = req;
  res
    .status(201)
    .set("X-Made", "yes")
    .json({ method, originalUrl, body, type: req.get("content-type"), own: req.get("x-own") });
});
functions.http("raw", (req) => req.rawBody);
functions.http("text", () => "text");
functions.http("fixed", { path: "/fixed", methods: ["POST"] }, (req) => ({ path: req.path }));
functions.http("user", { path: "/users/:id" }, (req) => ({ id: req.params.id }));
functions.http("fails", async (req) => {
  if (req.path === "/null") throw null;
  if (req.path === "/timer")
    return new Promise(() =>
      setTimeout(() => {
        throw new Error("in a timer");
      }, 1),
    );
  if (req.path === "/rejection") {
    void Promise.reject(new Error("nobody waits"));
    return new Promise(() => undefined);
  }
  throw new TypeError("no luck");
});

functions.http("breaks", async (req, res) => {
  if (req.path === "/json") res.type("json");
  if (req.path !== "/at-once") await new Promise<void>((sent) => res.write('{"half', () => sent()));
  if (req.path === "/itself") return void res.destroy();
  if (req.path === "/at-once") res.write("half");
  throw new Error("no luck");
});
functions.http("breaks-stream", () =>
  Readable.from(
    (async function* () {
      yield "half";
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error("no luck");
    })(),
  ),
);

functions.cloudEvent("event", (event) => {
  const { data, ...attributes } = event;
  return { attributes, data: Buffer.isBuffer(data) ? `bytes ${data.toString("latin1")}` : data };
});
functions.cloudEvent("answering", { path: "/events/:kind" }, () => ({
  id: "2",
  source: "/me",
  type: "made",
  specversion: "1.0",
  datacontenttype: "application/json",
  data: { a: 1 },
}));
functions.event("legacy", ((data: unknown, context: unknown) => ({
  data,
  context,
})) as functions.EventFunction);
functions.typed("typed", (request: unknown) => ({ request }));
functions.typed("lines", {
  handler: (lines: string[]) => lines.length,
  format: {
    deserializeRequest: (given) => (given.body() ?? "").split("\n"),
    serializeResponse: (writer, count) => writer.end(`${count} lines`),
  },
});
functions.openfunction("handle", (ctx, data) => ({
  data: Buffer.isBuffer(data) ? `bytes ${data.toString("latin1")}` : data,
  own: ctx.req?.get("x-own"),
  id: ctx.id,
}));
functions.openfunction("relay", async (ctx, data) => {
  ctx.locals.seen = data.id;
  const results = await ctx.send(data, "sink", { metadata: { ttl: "5" } });
  await ctx.send("second", "log");
  return results.map((result) => (result.status === "fulfilled" ? result.value : undefined));
});
functions.openfunction("careless", (ctx) => {
  void ctx.send("one");
});
functions.openfunction("careful", (ctx) =>
  ctx.send("one").catch((err) => ({ caught: err.code, count: err.results.length })),
);
functions.openfunction("wrong", (ctx) => ctx.send("one", "snik"));

test("an http function is asked as the input says", async () => {
  const got = await invoke("seen");
  const posted = await invoke("seen", { path: "/a?b=1", body: { a: 1 }, headers: { "X-Own": "mine" } });
  const put = await invoke("seen", {
    method: "PUT",
    body: "text",
    headers: { "Content-Type": "text/plain" },
  });

  assert.deepEqual(got.value, { method: "GET", originalUrl: "/" });
  assert.equal(got.status, 201);
  assert.equal(got.headers["x-made"], "yes");
  assert.equal(got.text, JSON.stringify(got.value));
  assert.deepEqual(got.body, Buffer.from(got.text));
  assert.deepEqual([got.error, got.sends, got.locals], [undefined, [], {}]);
  assert.deepEqual(posted.value, {
    method: "POST",
    originalUrl: "/a?b=1",
    body: { a: 1 },
    type: "application/json",
    own: "mine",
  });
  assert.deepEqual(put.value, { method: "PUT", originalUrl: "/", body: "text", type: "text/plain" });
});

test("bytes go and come as they are", async () => {
  const bytes = Buffer.from([0, 255, 128, 10]);

  const { body, status } = await invoke("raw", { body: bytes });
  const view = await invoke("raw", { body: new Uint8Array(bytes).subarray(1, 3) });

  assert.deepEqual([status, body], [200, bytes]);
  assert.deepEqual(view.body, bytes.subarray(1, 3));
});

test("the value is JSON parsed, else text, else undefined", async () => {
  assert.equal((await invoke("text")).value, "text");
  assert.equal((await invoke("careless", {}, { outputs: ["any"] })).value, undefined);
  assert.deepEqual((await invoke("typed", null)).value, { request: null });
});

test("a path of its own is asked when it has no parameters", async () => {
  assert.deepEqual((await invoke("fixed", { method: "POST" })).value, { path: "/fixed" });
  assert.equal((await invoke("fixed")).status, 405);
  assert.equal((await invoke("user")).status, 404);
  assert.deepEqual((await invoke("user", { path: "/users/7" })).value, { id: "7" });
});

for (const [path, text, error] of [
  ["/", "no luck", new TypeError("no luck")],
  ["/null", "null", null],
  ["/timer", "in a timer", new Error("in a timer")],
  ["/rejection", "nobody waits", new Error("nobody waits")],
] as const) {
  test(`what a function throws is the error of the result, as it was thrown: ${path}`, async () => {
    const result = await invoke("fails", { path });

    assert.deepEqual([result.status, result.text], [500, text]);
    assert.deepEqual(result.error, error);
    assert.equal(result.headers["x-google-status"], "crash");
  });
}

test("calls at once have each their own error", async () => {
  const paths = ["/timer", "/", "/rejection", "/null", "/timer", "/rejection"];

  const results = await Promise.all(paths.map((path) => invoke("fails", { path })));

  assert.deepEqual(
    results.map(({ text }) => text),
    ["in a timer", "no luck", "nobody waits", "null", "in a timer", "nobody waits"],
  );
});

test("a cloudevent function gets an event, with what the input leaves out filled in", async () => {
  const bare = await invoke("event");
  const own = await invoke("event", { id: "7", type: "own", myext: "x", subject: "ü", data: { a: [1] } });
  const text = await invoke("event", { datacontenttype: "text/plain", data: "text" });
  const bytes = await invoke("event", { data: Buffer.from("bytes\u00ff", "latin1") });

  const attributes = { id: "1", source: "/test", type: "test", specversion: "1.0" };
  assert.deepEqual(bare.value, { attributes });
  assert.deepEqual(own.value, {
    attributes: { ...attributes, id: "7", type: "own", myext: "x", subject: "ü" },
    data: { a: [1] },
  });
  assert.deepEqual(text.value, {
    attributes: { ...attributes, datacontenttype: "text/plain" },
    data: "text",
  });
  assert.equal((bytes.value as { data: string }).data, "bytes bytes\u00ff");
});

test("an event that is returned comes as headers and data, from a path with parameters too", async () => {
  const { status, headers, value } = await invoke("answering", { data: 1 });

  assert.equal(status, 200);
  assert.deepEqual([headers["ce-id"], headers["ce-source"], headers["ce-type"]], ["2", "/me", "made"]);
  assert.deepEqual(value, { a: 1 });
});

test("an event that is none is 400, and the error is the framework's", async () => {
  const { status, text } = await invoke("event", { id: "" });

  assert.equal(status, 400);
  assert.match(text, /"id"/);
});

test("a legacy event function gets data and context", async () => {
  const context = { eventId: "1", eventType: "own", timestamp: "2020-01-01T00:00:00Z", resource: "r" };

  assert.deepEqual((await invoke("legacy", { data: { a: 1 }, context })).value, { data: { a: 1 }, context });
});

test("a typed function gets the request, by its format", async () => {
  assert.deepEqual((await invoke("typed", { a: 1 })).value, { request: { a: 1 } });
  assert.equal((await invoke("typed")).status, 400);
  assert.equal((await invoke("lines", Buffer.from("a\nb"))).text, "2 lines");
});

test("a (ctx, data) function gets the data and the headers", async () => {
  const result = await invoke(
    "handle",
    { a: 1 },
    { headers: { "X-Own": "mine", "Function-Execution-Id": "my-id" } },
  );
  const bytes = await invoke("handle", Buffer.from("\u00ff", "latin1"));
  const nothing = await invoke("handle");

  assert.deepEqual(result.value, { data: { a: 1 }, own: "mine", id: "my-id" });
  assert.equal((bytes.value as { data: string }).data, "bytes \u00ff");
  assert.deepEqual((nothing.value as { data: unknown }).data, {});
});

test("sends are recorded in their order, locals are told", async () => {
  const { status, sends, locals } = await invoke("relay", { id: 7 }, { outputs: ["sink", "log"] });

  assert.equal(status, 200);
  assert.deepEqual(sends, [
    { output: "sink", data: { id: 7 }, options: { metadata: { ttl: "5" } } },
    { output: "log", data: "second", options: {} },
  ]);
  assert.deepEqual(locals, { seen: 7 });
});

test("a function in place of an output replies, later too", async () => {
  const { value } = await invoke(
    "relay",
    { id: 7 },
    { outputs: { sink: async (data, { metadata }) => ({ got: data, metadata }), log: () => undefined } },
  );

  assert.deepEqual(value, [
    { output: "sink", status: 200, data: { got: { id: 7 }, metadata: { ttl: "5" } }, metadata: {} },
  ]);
});

test("an output that fails is the failure of who does not handle it", async () => {
  const outputs = {
    good: () => undefined,
    bad: () => {
      throw new Error("no broker");
    },
  };

  const careless = await invoke("careless", {}, { outputs });
  const careful = await invoke("careful", {}, { outputs });

  assert.equal(careless.status, 500);
  assert.match(careless.text, /output "bad": no broker/);
  assert.equal((careless.error as { code?: string }).code, "FF_SEND_FAILED");
  assert.deepEqual(careless.sends.map(({ output }) => output).sort(), ["bad", "good"]);
  assert.deepEqual([careful.status, careful.value], [200, { caught: "FF_SEND_FAILED", count: 2 }]);
  assert.equal(careful.error, undefined);
});

test("an unknown output names those there are", async () => {
  const { status, error } = await invoke("wrong", {}, { outputs: ["sink"] });

  assert.equal(status, 500);
  assert.equal((error as { code?: string }).code, "FF_SEND_UNKNOWN_OUTPUT");
});

test("a name that nobody registered is an error, not a result", async () => {
  await assert.rejects(invoke("nobody"), { code: "FF_TARGET_NOT_FOUND" });
  assert.throws(() => getTestServer("nobody"), { code: "FF_TARGET_NOT_FOUND", message: /nobody/ });
  assert.equal(getFunction("nobody"), undefined);
  assert.equal(typeof getFunction("seen"), "function");
});

async function open(t: TestContext, name: string): Promise<string> {
  const server = getTestServer(name).listen(0, "127.0.0.1");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("errors in timers and forgotten promises are the request's, not the test's", async (t) => {
  const url = await open(t, "fails");

  for (const [path, text] of [
    ["/timer", "in a timer"],
    ["/rejection", "nobody waits"],
    ["/", "no luck"],
  ]) {
    const reply = await request(url + path);
    assert.deepEqual([reply.status, reply.text], [500, text]);
    assert.equal(reply.headers["x-openfunction-status"], "crash");
  }
});

test("a test server is the command's: ignored routes, paths, methods, hooks", async (t) => {
  const seen = await open(t, "seen");
  const fixed = await open(t, "fixed");
  const event = await open(t, "event");

  assert.deepEqual(
    [(await request(`${seen}/favicon.ico`)).status, (await request(`${seen}/favicon.ico`)).text],
    [404, ""],
  );
  assert.equal((await request(`${fixed}/fixed`)).status, 405);
  assert.equal((await request(`${fixed}/other`, { method: "POST" })).status, 404);
  assert.equal((await request(event)).headers.allow, "POST");
});

test("hooks that are registered run around what is tested", async () => {
  const calls: string[] = [];
  functions.http("hooked", () => "value");
  functions.use(async (invocation, next) => {
    if (invocation.function !== "hooked") return next();
    calls.push(invocation.signature);
    invocation.locals.by = "hook";
    return `${await next()} changed`;
  });

  const { text, locals } = await invoke("hooked");

  assert.equal(text, "value changed");
  assert.deepEqual([calls, locals], [["http"], { by: "hook" }]);
});

const inherited = ["polluted", "isAdmin"];
const evil =
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"isAdmin":1}},"a":{"__proto__":{"polluted":1}}}';

functions.http("merges", (req) => ({
  body: Object.keys({ ...req.body }),
  query: Object.keys({ ...req.query }),
  polluted: inherited.filter((name) => name in {} || name in Object.assign({}, { ...req.query })),
}));
functions.cloudEvent("merges-event", (event) => ({
  names: Object.keys(event),
  polluted: inherited.filter((name) => name in {} || name in event),
}));
const merges = (data: unknown) => ({
  names: Object.keys(data as object),
  polluted: inherited.filter((name) => name in {} || name in (data as object)),
});
functions.event("merges-legacy", ((data: unknown) => merges(data)) as functions.EventFunction);
functions.typed("merges-typed", merges);
functions.openfunction("merges-data", (_ctx, data) => merges(data));

test("__proto__ in bodies, forms and queries of an http function is plain data", async () => {
  const form = { "Content-Type": "application/x-www-form-urlencoded" };
  const json = { "Content-Type": "application/json" };
  const query = "?__proto__[polluted]=1&__proto__=1&constructor[prototype][isAdmin]=1";

  const asJson = await invoke("merges", { body: evil, headers: json, path: `/${query}` });
  const asForm = await invoke("merges", { body: `a=1&${query.slice(1)}`, headers: form });

  for (const { status, value } of [asJson, asForm]) {
    assert.equal(status, 200);
    assert.deepEqual((value as { polluted: string[] }).polluted, []);
  }
  assert.ok((asJson.value as { body: string[] }).body.includes("a"));
  assertClean();
});

for (const [name, path] of [
  ["merges-legacy", "/"],
  ["merges-typed", "/"],
  ["merges-data", "/"],
] as const) {
  test(`__proto__ in the data of other signatures is plain data: ${name}`, async (t) => {
    const url = await open(t, name);
    const body = name === "merges-legacy" ? `{"data":${evil},"context":${evil}}` : evil;

    const reply = await request(url + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });

    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json().polluted, []);
    assertClean();
  });
}

test("__proto__ among the attributes and in the data of an event changes nothing", async (t) => {
  const url = await open(t, "merges-event");
  const required = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };
  const structured = { "Content-Type": "application/cloudevents+json" };
  const event = `{"id":"1","source":"/","type":"t","specversion":"1.0","data":${evil},${evil.slice(1)}`;

  const binary = await postJson(url, JSON.parse(evil), {
    ...required,
    "ce-__proto__": "x",
    "ce-constructor": "x",
  });
  const whole = await request(url, { method: "POST", headers: structured, body: event });

  for (const reply of [binary, whole]) {
    assert.ok(reply.status === 200 || reply.status === 400, reply.text);
    if (reply.status === 200) assert.deepEqual(reply.json().polluted, []);
  }
  assert.equal((await postJson(url, JSON.parse(evil), required)).status, 200);
  assertClean();
});

function assertClean(): void {
  for (const name of inherited) assert.equal(name in {}, false, name);
}

test("a function that fails after a part of its answer is out: what came, what it threw, and that it is broken", async () => {
  for (const path of ["/text", "/json"]) {
    const { status, text, value, error, broken } = await invoke("breaks", { path });

    assert.deepEqual([status, text, value, broken], [200, '{"half', '{"half', true]);
    assert.equal((error as Error).message, "no luck");
  }
  const stream = await invoke("breaks-stream");
  assert.deepEqual([stream.status, stream.broken], [200, true]);
  assert.equal((stream.error as Error).message, "no luck");

  const atOnce = await invoke("breaks", { path: "/at-once" });
  assert.ok(atOnce.broken && [0, 200].includes(atOnce.status), `${atOnce.status}`);
  assert.equal((atOnce.error as Error).message, "no luck");

  const itself = await invoke("breaks", { path: "/itself" });
  assert.deepEqual([itself.status, itself.broken, itself.error], [200, true, undefined]);
  assert.equal((await invoke("text")).broken, false);
});
