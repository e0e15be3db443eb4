/** ctx.state against the local runtime's stores, and what it asks for of a stand-in. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { startApp } from "../support/app";
import { anyCode, startBeside, startLocal } from "./support/sidecar";

const states = {
  cart: { componentName: "cart-7hz2p", componentType: "state.in-memory" },
  ledger: { componentName: "ledger-v2q8c", componentType: "state.in-memory" },
};

async function setUp(t: TestContext) {
  const { port } = await startLocal(t, [
    { name: "cart-7hz2p", type: "state.in-memory" },
    { name: "ledger-v2q8c", type: "state.in-memory" },
  ]);
  const { post } = await startBeside(t, { module: anyCode, port, context: { states } });
  return async (code: string) => (await post({ code })).json();
}

test("what is saved is read again, as JSON has it; what is not there is undefined", async (t) => {
  const run = await setUp(t);

  const { value } = await run(`
    await ctx.state.save([{ key: "o", value: { a: [1, null] } }, { key: "t", value: "text" }, { key: "n", value: 0 }]);
    await ctx.state.save({ key: "b", value: Buffer.from("bytes") });
    await ctx.state.save({ key: "d", value: new Date(0) });
    return [await ctx.state.get("o"), await ctx.state.get("t"), await ctx.state.get("n"), await ctx.state.get("b"),
      await ctx.state.get("d"), typeof await ctx.state.get("nobody"), typeof await ctx.state.getEntry("nobody")];`);

  assert.deepEqual(value, [
    { a: [1, null] },
    "text",
    0,
    Buffer.from("bytes").toString("base64"),
    "1970-01-01T00:00:00.000Z",
    "undefined",
    "undefined",
  ]);
});

test("the forms of OpenFunction's framework are taken: arguments are the values of one object", async (t) => {
  const run = await setUp(t);

  const { value } = await run(`
    await ctx.state.save({ entries: [{ key: "a", value: 1 }, { key: "b", value: 2 }] });
    await ctx.state.save([{ key: "a", value: "other" }], "ledger");
    await ctx.state.transaction({ operations: [{ operation: "upsert", request: { key: "c", value: 3 } },
      { operation: "delete", request: { key: "b" } }], metadata: { m: "1" } });
    const bulk = await ctx.state.getBulk({ keys: ["c", "b", "a"], parallelism: 2 });
    await ctx.state.delete({ key: "c" });
    return [await ctx.state.get({ key: "a" }), await ctx.state.get({ any: "a" }, "ledger"),
      bulk.map(({ key, data, etag }) => [key, data ?? null, typeof etag]), await ctx.state.get("c") ?? null];`);

  assert.deepEqual(value, [
    1,
    "other",
    [
      ["c", 3, "string"],
      ["b", null, "undefined"],
      ["a", 1, "string"],
    ],
    null,
  ]);
});

test("the named store is used, by its name or its component's; an unknown one lists those there are", async (t) => {
  const run = await setUp(t);

  const { value } = await run(`
    await ctx.state.save({ key: "k", value: "first" });
    await ctx.state.save({ key: "k", value: "second" }, { store: "ledger" });
    return [await ctx.state.get("k"), await ctx.state.get("k", "cart"), await ctx.state.get("k", "ledger-v2q8c")];`);
  const unknown = await run(`return ctx.state.get("k", "legder");`);

  assert.deepEqual(value, ["first", "first", "second"]);
  assert.equal(unknown.code, "FF_STATE_STORE_UNKNOWN");
  assert.match(unknown.message, /no state store "legder".*"cart", "ledger"/);
});

test("an etag that is old is a conflict, and nothing is written", async (t) => {
  const run = await setUp(t);

  const { value } = await run(`
    const told = (work) => work.then(() => "well", (err) => err.code);
    await ctx.state.save({ key: "k", value: 1 });
    const { etag } = await ctx.state.getEntry("k");
    await ctx.state.save({ key: "k", value: 2, etag });
    return [
      await told(ctx.state.save({ key: "k", value: 3, etag })),
      await told(ctx.state.save([{ key: "new", value: 1 }, { key: "k", value: 3, etag }])),
      await told(ctx.state.save({ key: "k", value: 3, options: { concurrency: "first-write" } })),
      await told(ctx.state.save({ key: "k", value: 3 }, { concurrency: "first-write", consistency: "strong" })),
      await told(ctx.state.delete("k", { etag })),
      await told(ctx.state.transaction([{ operation: "upsert", request: { key: "x", value: 1 } },
        { operation: "delete", request: { key: "k", etag } }])),
      await ctx.state.get("k"), await ctx.state.get("new") ?? null, await ctx.state.get("x") ?? null,
      await told(ctx.state.delete("k", { etag: (await ctx.state.getEntry("k")).etag })),
      await ctx.state.get("k") ?? null, await told(ctx.state.delete("k")),
      await told(ctx.state.save({ key: "k", value: 4, options: { concurrency: 1 } })),
    ];`);

  const conflict = "FF_STATE_CONFLICT";
  assert.deepEqual(value.slice(0, 6), [conflict, conflict, conflict, conflict, conflict, conflict]);
  assert.deepEqual(value.slice(6), [2, null, null, "well", null, "well", "well"]);
});

test("a time to live is passed on, and what is over is gone", async (t) => {
  const run = await setUp(t);

  const { value } = await run(`
    await ctx.state.save({ key: "k", value: 1, ttlInSeconds: 1 });
    await ctx.state.save({ key: "m", value: 1, metadata: { ttlInSeconds: 100 } });
    const { metadata } = await ctx.state.getEntry("m");
    const before = await ctx.state.get("k");
    for (const end = Date.now() + 10_000; await ctx.state.get("k") !== undefined && Date.now() < end; );
    return [before, await ctx.state.get("k") ?? null, Date.parse(metadata.ttlexpiretime) > Date.now()];`);

  assert.deepEqual(value, [1, null, true]);
});

const wrong: [what: string, code: string, expected: RegExp][] = [
  ["no key", `ctx.state.get("")`, /key must be a text that is not empty/],
  ["a key that Dapr refuses", `ctx.state.get("a||b")`, /must not hold "\|\|"/],
  ["two keys", `ctx.state.get({ a: "1", b: "2" })`, /one key, not an object with 2 members/],
  ["no entries", `ctx.state.save("a")`, /entries \{key, value\}/],
  ["an entry without key", `ctx.state.save([{ value: 1 }])`, /key must be a text/],
  [
    "a cycle",
    `const a = {}; a.a = a; return ctx.state.save({ key: "k", value: a })`,
    /cannot be written as JSON/,
  ],
  ["a map", `ctx.state.save({ key: "k", value: new Map([[1, 2]]) })`, /it is a Map/],
  ["an odd word", `ctx.state.save({ key: "k" }, { concurrency: "last" })`, /"first-write" or "last-write"/],
  [
    "an odd operation",
    `ctx.state.transaction([{ operation: "put", request: { key: "k" } }])`,
    /"upsert" or "delete"/,
  ],
  ["no list of keys", `ctx.state.getBulk("k")`, /list of keys/],
  ["metadata that is none", `ctx.state.get("k", { metadata: { a: {} } })`, /metadata.a must be a text/],
  [
    "a misspelt option",
    `ctx.state.save({ key: "k", value: 1 }, { stor: "x" })`,
    /option "stor" is unknown: there are store/,
  ],
  ["a store that is no name", `ctx.state.get("k", { store: 5 })`, /store must be a name/],
  [
    "an etag beside the entry",
    `ctx.state.save({ key: "k", value: 1 }, { etag: "1" })`,
    /of a write it stands in the entry/,
  ],
  ["a text as time", `ctx.state.get("k", { timeoutMs: "5" })`, /must be milliseconds/],
  [
    "a time to live that is none",
    `ctx.state.save({ key: "k", value: 1, ttlInSeconds: "soon" })`,
    /whole number, not "soon"/,
  ],
  ["a key that leads elsewhere", `ctx.state.delete("..")`, /a key cannot be "\.\."/],
  ["half of a character as key", `ctx.state.get("\\ud800")`, /no URL can hold it/],
  ["an odd second argument", `ctx.state.get("k", 5)`, /name of a store, or options/],
];
test("wrong arguments are told in words", async (t) => {
  const run = await setUp(t);

  for (const [what, code, expected] of wrong) {
    const { code: error, message } = await run(code.includes("return") ? code : `return ${code};`);

    assert.equal(error, "FF_STATE_ARGUMENT", what);
    assert.match(message, expected, what);
  }
});

test("without states in the context every call says so; a query is refused by a store that knows none", async (t) => {
  const run = await setUp(t);
  const { port } = await startLocal(t, []);
  const { post } = await startBeside(t, { module: anyCode, port });

  const query = await run(`return ctx.state.query({ filter: { EQ: { a: 1 } } });`);
  const none = (await post({ code: `return ctx.state.get("k");` })).json();

  assert.deepEqual(
    [query.code, query.cause.errorCode],
    ["FF_SIDECAR_REFUSED", "ERR_STATE_STORE_NOT_SUPPORTED"],
  );
  assert.equal(none.code, "FF_STATE_STORE_UNKNOWN");
});

test("a call goes over the wire with key, options, token and trace", async (t) => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const sidecar = await startApp(({ url }) =>
    url.endsWith("/query")
      ? { body: { results: [{ key: "k", data: { a: 1 }, etag: "7" }], token: "next" } }
      : { status: 204 },
  );
  t.after(() => sidecar.stop());
  const { post } = await startBeside(t, {
    module: anyCode,
    port: sidecar.port,
    context: { states },
    env: { DAPR_API_TOKEN: "token" },
  });

  const reply = await post(
    {
      code: `
        await ctx.state.get("a/b c", { consistency: "strong", metadata: { partitionKey: "p q" } });
        await ctx.state.delete("k", { etag: "7", concurrency: "first-write" });
        await ctx.state.save({ key: "k", value: 1, etag: 7, ttlInSeconds: 5, options: { consistency: 2 } });
        return [await ctx.state.query({ query: { filter: {} } }), await ctx.state.getBulk(["k"])];`,
    },
    { traceparent },
  );

  assert.deepEqual(reply.json().value, [
    { results: [{ key: "k", data: { a: 1 }, etag: "7" }], token: "next" },
    [{ key: "k" }],
  ]);
  assert.deepEqual(
    sidecar.calls.map(({ method, url, headers, body }) => [method, url, headers["if-match"], body]),
    [
      [
        "GET",
        "/v1.0/state/cart-7hz2p/a%2Fb%20c?consistency=strong&metadata.partitionKey=p%20q",
        undefined,
        "",
      ],
      ["DELETE", "/v1.0/state/cart-7hz2p/k?concurrency=first-write", "7", ""],
      [
        "POST",
        "/v1.0/state/cart-7hz2p",
        undefined,
        '[{"key":"k","value":1,"etag":"7","options":{"consistency":"strong"},"metadata":{"ttlInSeconds":"5"}}]',
      ],
      ["POST", "/v1.0-alpha1/state/cart-7hz2p/query", undefined, '{"filter":{}}'],
      ["POST", "/v1.0/state/cart-7hz2p/bulk", undefined, '{"keys":["k"],"parallelism":10}'],
    ],
  );
  assert.ok(sidecar.calls.every(({ headers }) => headers["dapr-api-token"] === "token"));
  assert.ok(sidecar.calls.every(({ headers }) => headers.traceparent === traceparent));
});

test("a write that nobody awaits is awaited, and fails the call when it fails", async (t) => {
  const sidecar = await startApp(() => ({
    status: 500,
    body: { errorCode: "ERR_STATE_SAVE", message: "full" },
  }));
  t.after(() => sidecar.stop());
  const { post } = await startBeside(t, {
    module: `export const handle = (ctx, { caught }) => {
      const work = ctx.state.save({ key: "k", value: 1 });
      if (caught) work.catch(() => {});
    };`,
    port: sidecar.port,
    context: { states },
  });

  const failed = await post({});
  const caught = await post({ caught: true });

  assert.equal(failed.status, 500);
  assert.match(failed.text, /500 ERR_STATE_SAVE.*full/);
  assert.equal(caught.status, 204);
});
