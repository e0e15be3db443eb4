/** ctx.send as the sidecar sees it: what goes over the wire, in which order, on whose behalf, and what comes back. */
import assert from "node:assert/strict";
import { request as openRequest } from "node:http";
import { type TestContext, test } from "node:test";

import { type AppCall, type AppReply, startApp } from "../support/app";
import { deferred, until, withDeadline } from "../support/wait";
import { anyCode, startBeside } from "./support/sidecar";

const outputs = {
  store: { componentName: "files", componentType: "bindings.mqtt3", operation: "create" },
  bills: { componentName: "stream", componentType: "pubsub.redis", uri: "bills" },
};

async function setUp(
  t: TestContext,
  {
    answer = () => ({ status: 204 }),
    module = anyCode,
    env = {},
    context = { outputs },
  }: {
    answer?: (call: AppCall) => AppReply | Promise<AppReply>;
    module?: string;
    env?: Record<string, string>;
    context?: object;
  } = {},
) {
  const sidecar = await startApp(answer);
  t.after(() => sidecar.stop());
  const beside = await startBeside(t, { module, port: sidecar.port, context, env });
  const run = async (code: string, headers: Record<string, string> = {}) =>
    (await beside.post({ code }, headers)).json();
  return { sidecar, run, ...beside };
}

const setup = `class Money { constructor() { this.amount = 5; } toJSON() { return this.amount + " EUR"; } }
class Plain { constructor() { this.a = 1; } }`;
const json = "application/json";
const event = '{"specversion":"1.0","id":"1","source":"s","type":"t"';
const forms: [what: string, expression: string, data: string | undefined, body: string, type: string][] = [
  ["an object", "{ a: 1, u: undefined }", '{"a":1}', '{"a":1}', json],
  ["a text", '"text"', '"text"', '"text"', json],
  ["an empty text", '""', '""', '""', json],
  ["a number", "1.5", "1.5", "1.5", json],
  ["NaN", "NaN", "null", "null", json],
  ["a boolean", "false", "false", "false", json],
  ["null", "null", "null", "null", json],
  ["undefined", "undefined", undefined, "", json],
  ["a date", "new Date(0)", '"1970-01-01T00:00:00.000Z"', '"1970-01-01T00:00:00.000Z"', json],
  ["an instance with toJSON", "new Money()", '"5 EUR"', '"5 EUR"', json],
  ["an instance", "new Plain()", '{"a":1}', '{"a":1}', json],
  ["an object without prototype", "Object.assign(Object.create(null), { a: 1 })", '{"a":1}', '{"a":1}', json],
  ["an empty object", "{}", "{}", "{}", json],
  ["a Buffer", 'Buffer.from("abc")', '"YWJj"', "abc", "application/octet-stream"],
  ["a typed array", "new Uint16Array([0x6161])", '"YWE="', "aa", "application/octet-stream"],
  ["an ArrayBuffer", "new Uint8Array([97]).buffer", '"YQ=="', "a", "application/octet-stream"],
  ["a CloudEvent", `${event}}`, `${event}}`, `${event}}`, "application/cloudevents+json"],
];
test("each kind of value has its form on the wire, for bindings and for topics", async (t) => {
  const { run, sidecar } = await setUp(t);

  for (const [what, expression, data, body, type] of forms) {
    sidecar.calls.length = 0;
    const { value } = await run(`${setup} return (await ctx.send(${expression})).length;`);

    assert.equal(value, 2, what);
    const [toBinding, toTopic] = sidecar.calls.sort((a, b) => a.url.localeCompare(b.url));
    const middle = data === undefined ? "" : `,"data":${data}`;
    assert.equal(toBinding?.body, `{"operation":"create"${middle}}`, what);
    assert.deepEqual([toTopic?.body, toTopic?.headers["content-type"]], [body, type], what);
  }
});

test("the bytes of a CloudEvent travel as data_base64, and a stated type is kept", async (t) => {
  const { run, sidecar } = await setUp(t);

  await run(`await ctx.send({ ...${event}}, data: Buffer.from("abc") }, "bills");
    await ctx.send('{"a":1}', "bills", { contentType: "application/vnd.x+json", metadata: { rawPayload: true, ttlInSeconds: 5 } });
    await ctx.send({ a: 1 }, "store", { operation: "delete", metadata: { n: 1, u: undefined } });`);

  assert.deepEqual(
    sidecar.calls.map(({ url, headers, body }) => [url, headers["content-type"], body]),
    [
      ["/v1.0/publish/stream/bills", "application/cloudevents+json", `${event},"data_base64":"YWJj"}`],
      [
        "/v1.0/publish/stream/bills?metadata.rawPayload=true&metadata.ttlInSeconds=5",
        "application/vnd.x+json",
        '{"a":1}',
      ],
      ["/v1.0/bindings/files", json, '{"operation":"delete","data":{"a":1},"metadata":{"n":"1"}}'],
    ],
  );
});

const refused: [what: string, expression: string, expected: RegExp][] = [
  ["a Map", "new Map([[1, 2]])", /it is a Map, which JSON writes as \{\}/],
  ["a Set", "new Set([1])", /it is a Set/],
  ["a Map inside", "{ a: [{ b: new Map() }] }", /\.a\.0\.b is a Map/],
  ["a promise", "Promise.resolve(1)", /it is a Promise/],
  ["an error", 'new Error("x")', /it is an Error/],
  ["a BigInt", "{ n: 1n }", /BigInt/],
  ["a cycle", "(() => { const a = {}; a.self = a; return a; })()", /circular/],
  ["a function", "() => 1", /it is a function/],
  ["a symbol", 'Symbol("s")', /it is a symbol/],
  ["a Response", 'new Response("x")', /it is a Response/],
  ["a web stream", "new ReadableStream()", /it is a ReadableStream/],
  ["a toJSON that throws", '{ toJSON() { throw new Error("not me"); } }', /not me/],
];
test("what has no form on the wire is an error in words, and nothing is sent", async (t) => {
  const { run, sidecar } = await setUp(t);

  for (const [what, expression, expected] of refused) {
    const { code, message, results } = await run(`return ctx.send(${expression});`);

    assert.equal(code, "FF_SEND_FAILED", what);
    assert.match(message, expected, what);
    assert.deepEqual(
      results.map((one: { reason: { code: string } }) => one.reason.code),
      ["FF_SEND_UNSERIALISABLE", "FF_SEND_UNSERIALISABLE"],
      what,
    );
  }
  assert.equal(sidecar.calls.length, 0);
});

const options: [what: string, options: string, expected: RegExp][] = [
  [
    "a misspelt one",
    '{ contenttype: "a/b" }',
    /"contenttype" of ctx.send is unknown: did you mean "contentType"/,
  ],
  ["a list as metadata", "{ metadata: { a: [1] } }", /"metadata.a" of ctx.send must be a text, not a list/],
  ["a line break in the type", '{ contentType: "a/b\\r\\nx: y" }', /must be a media type/],
  ["no time", "{ timeoutMs: 0 }", /must be milliseconds/],
  ["a text as time", '{ timeoutMs: "5" }', /must be milliseconds/],
  ["a number as type", "{ contentType: 5 }", /must be a media type/],
  ["a text as metadata", '{ metadata: "ttl" }', /"metadata" of ctx.send must be an object/],
  [
    "half of a character",
    '{ metadata: { key: "\\ud800" } }',
    /"metadata.key" of ctx.send holds half of a character/,
  ],
  ["a number", "5", /must be an object of them, not 5/],
  ["a list", "[]", /must be an object of them, not a list/],
];
test("wrong options are told in words", async (t) => {
  const { run, sidecar } = await setUp(t);

  for (const [what, stated, expected] of options) {
    const { message, results } = await run(`return ctx.send(1, "bills", ${stated});`);

    assert.match(message, expected, what);
    assert.equal(results[0].reason.code, "FF_SEND_OPTION", what);
  }
  assert.equal(sidecar.calls.length, 0);
});

test("what a binding answers is the result's data, its metadata beside", async (t) => {
  const answers: Record<string, AppReply> = {
    json: { body: { fileName: "a" }, headers: { "metadata.statusCode": "201" } },
    nothing: { status: 204 },
  };
  const { run } = await setUp(t, { answer: ({ body }) => answers[JSON.parse(body).data] ?? {} });

  const { value } = await run(
    `return [await ctx.send("json", "store"), await ctx.send("nothing", "store")];`,
  );

  assert.deepEqual(value, [
    [
      {
        status: "fulfilled",
        value: { output: "store", status: 200, data: { fileName: "a" }, metadata: { statuscode: "201" } },
      },
    ],
    [{ status: "fulfilled", value: { output: "store", status: 204, metadata: {} } }],
  ]);
});

test("an error carries status, errorCode and message of the sidecar", async (t) => {
  const { run } = await setUp(t, {
    answer: ({ url }) =>
      url.startsWith("/v1.0/publish")
        ? { status: 403, body: { errorCode: "ERR_PUBSUB_FORBIDDEN", message: "topic bills is not allowed" } }
        : { status: 502 },
  });

  const { code, results } = await run(
    `try { await ctx.send(1); } catch (err) { throw Object.assign(err, { results: err.results.map(({ status, reason }) => [status, reason.code, { ...reason.cause }]) }); }`,
  );

  assert.equal(code, "FF_SEND_FAILED");
  assert.deepEqual(results, [
    ["rejected", "FF_SIDECAR_REFUSED", { status: 502, message: "" }],
    [
      "rejected",
      "FF_SIDECAR_REFUSED",
      { status: 403, errorCode: "ERR_PUBSUB_FORBIDDEN", message: "topic bills is not allowed" },
    ],
  ]);
});

test("sends to one output keep their order, a small one behind a large one too; another output does not wait", async (t) => {
  const open = deferred();
  const seen: string[] = [];
  const { run } = await setUp(t, {
    answer: async ({ url, body }) => {
      const isTopic = url.startsWith("/v1.0/publish");
      seen.push(isTopic ? "topic" : `binding ${body.length > 1000 ? "large" : "small"}`);
      if (isTopic) open.resolve();
      else if (body.length > 1000) await withDeadline(open.promise, "the other output is served");
      return { status: 204 };
    },
  });

  await run(`const all = [ctx.send("x".repeat(1e6), "store"), ctx.send("y", "store"), ctx.send("z", "bills")];
    await Promise.all(all);`);

  assert.deepEqual(
    seen.filter((one) => one !== "topic"),
    ["binding large", "binding small"],
  );
  assert.ok(seen.indexOf("topic") < seen.indexOf("binding small"));
});

test("what is sent is what the data was at the call", async (t) => {
  const { run, sidecar } = await setUp(t);

  await run(`const order = { n: 0 }; const sent = [];
    for (let n = 1; n <= 3; n++) { order.n = n; sent.push(ctx.send(order, "store")); }
    order.n = 9; await Promise.all(sent);`);

  assert.deepEqual(
    sidecar.calls.map(({ body }) => JSON.parse(body).data.n),
    [1, 2, 3],
  );
});

test("the trace of the caller goes on, by its headers or the event's attributes; broken ones do not", async (t) => {
  const { post, sidecar } = await setUp(t, {
    module: `export const handle = (ctx) => ctx.send(1, "store");`,
  });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const traced = { specversion: "1.0", id: "1", source: "s", type: "t", traceparent, tracestate: "a=1" };
  const asEvent = { "Content-Type": "application/cloudevents+json" };

  await post(1, { traceparent, tracestate: "vendor=x" });
  await post(1, { traceparent: "00-broken-b7ad6b7169203331-01", tracestate: "vendor=x" });
  await post(traced, asEvent);
  await post({ ...traced, tracestate: "a=1\r\nx: y" }, asEvent);
  await post(1, { "x-cloud-trace-context": "0af7651916cd43dd8448eb211c80319c/10;o=1" });
  await post(1);

  assert.deepEqual(
    sidecar.calls.map(({ headers }) => [headers.traceparent, headers.tracestate]),
    [
      [traceparent, "vendor=x"],
      [undefined, undefined],
      [traceparent, "a=1"],
      [traceparent, undefined],
      ["00-0af7651916cd43dd8448eb211c80319c-000000000000000a-01", undefined],
      [undefined, undefined],
    ],
  );
});

test("a send ends when its caller is gone, and the next call is untouched", async (t) => {
  const arrived = deferred();
  const { framework, sidecar, post } = await setUp(t, {
    module: `export const handle = async (ctx, data) => {
      try { return await ctx.send(data, "store"); } catch (err) { console.log(err.results[0].reason.code); throw err; }
    };`,
    answer: async ({ body }) => {
      if (JSON.parse(body).data !== "hang") return { status: 204 };
      arrived.resolve();
      return new Promise<AppReply>(() => undefined);
    },
  });
  const client = openRequest(framework.url, { method: "POST", headers: { "Content-Type": json } });
  client.on("error", () => undefined).end('"hang"');
  await withDeadline(arrived.promise, "the send arrives");

  client.destroy();
  await framework.says("FF_SIDECAR_ABORTED");
  const next = await post("well");

  assert.equal(next.status, 204);
  assert.equal(sidecar.calls.length, 2);
});

test("a send that is not answered in its time fails, and says that it may have arrived", async (t) => {
  const { run } = await setUp(t, { answer: () => new Promise<AppReply>(() => undefined) });

  const { message, results } = await run(`return ctx.send(1, "store", { timeoutMs: 200 });`);

  assert.equal(results[0].reason.code, "FF_SIDECAR_TIMEOUT");
  assert.match(message, /did not answer POST \/v1\.0\/bindings\/files within 0\.2 s/);
});

test("the ports of the sidecar stand on ctx, as texts", async (t) => {
  const { run, sidecar } = await setUp(t, { env: { DAPR_GRPC_PORT: "50007" } });

  const { value } = await run("return ctx.sidecarPort;");

  assert.deepEqual(value, { HTTP: String(sidecar.port), GRPC: "50007" });
});

test("10,000 sends that nobody awaits are all done before the answer", async (t) => {
  const { post, sidecar } = await setUp(t, {
    module: `export const handle = (ctx) => { for (let i = 0; i < 5000; i++) ctx.send(i); };`,
  });

  const reply = await post(1);

  assert.equal(reply.status, 204);
  await until(() => sidecar.calls.length >= 10_000, sidecar, "call", "all sends");
  assert.equal(sidecar.calls.length, 10_000);
});

test("without outputs a send resolves to an empty list, which counts as nothing", async (t) => {
  const { post } = await setUp(t, {
    module: "export const handle = async (ctx, { mine }) => (mine ? [] : ctx.send(1));",
    context: {},
  });

  assert.equal((await post({})).status, 204);
  assert.deepEqual((await post({ mine: true })).json(), []);
});

test("a send that fails does not keep the others from being awaited, and many calls at once cause no warning", async (t) => {
  const last = deferred();
  const { post, sidecar, framework } = await setUp(t, {
    module: `export const handle = (ctx) => {
      ctx.send("bad", "store");
      for (let i = 0; i < 50; i++) ctx.state.get("k" + i).catch(() => undefined);
      ctx.send("good", "bills");
    };`,
    answer: async ({ url }) => {
      if (url.startsWith("/v1.0/bindings")) return { status: 500 };
      if (url.startsWith("/v1.0/publish")) await last.promise;
      return { status: 204 };
    },
    context: { outputs, states: { s: { componentName: "s", componentType: "state.redis" } } },
  });
  let isAnswered = false;
  const reply = post(1).then((answer) => {
    isAnswered = true;
    return answer;
  });
  await until(() => sidecar.calls.length >= 52, sidecar, "call", "all calls");

  assert.equal(isAnswered, false);
  last.resolve();

  assert.equal((await reply).status, 500);
  assert.doesNotMatch(framework.stderr, /MaxListenersExceededWarning/);
});
