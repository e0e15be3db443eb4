/** State and secrets of the sidecar API: status and errorCode are Dapr's contract, for every store alike. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { CommunicationProtocolEnum, DaprClient } from "@dapr/dapr";

import type { ComponentSpec } from "../../src/local/components/component";
import { makeProject } from "../support/project";
import { startRedis, withoutRedis } from "../support/redis";
import { startLocal } from "./support/sidecar";

type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<{
  status: number;
  text: string;
  headers: Headers;
  json: () => unknown;
  errorCode: () => unknown;
}>;

function caller(port: number): Call {
  return async (method, path, body, headers = {}) => {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await reply.text();
    const json = () => JSON.parse(text);
    return { status: reply.status, text, headers: reply.headers, json, errorCode: () => json().errorCode };
  };
}

async function setUp(t: TestContext, component: Partial<ComponentSpec> = { type: "state.in-memory" }) {
  const { port } = await startLocal(t, [
    { ...component, name: "store" },
    { name: "vault", type: "secretstores.local.env", metadata: { prefix: "SIDECAR_STATE_" } },
  ]);
  return { call: caller(port), port };
}

const store = "/v1.0/state/store";

// The stores, which must not differ.
const stores: [
  type: string,
  skip: string | false,
  component: (t: TestContext) => Promise<Partial<ComponentSpec>>,
][] = [
  ["state.in-memory", false, async () => ({ type: "state.in-memory" })],
  [
    "state.redis",
    withoutRedis,
    async (t) => {
      const redis = await startRedis(t);
      return { type: "state.redis", metadata: { redisHost: `127.0.0.1:${redis.port}` } };
    },
  ],
];
for (const [type, skip, component] of stores) {
  describe(type, { skip }, () => {
    test("a value comes back as it was written again: keys sorted, a text in quotes, with an etag that changes", async (t) => {
      const { call } = await setUp(t, await component(t));

      assert.equal(
        (
          await call("POST", store, [
            { key: "o", value: { b: 1, a: 2 } },
            { key: "t", value: "x" },
          ])
        ).status,
        204,
      );
      const [object, text] = [await call("GET", `${store}/o`), await call("GET", `${store}/t`)];
      await call("PUT", `${store}?`, [{ key: "o", value: 2 }]);
      const later = await call("GET", `${store}/o?consistency=strong`);

      assert.deepEqual(
        [object.status, object.text, text.text, later.text],
        [200, '{"a":2,"b":1}', '"x"', "2"],
      );
      assert.notEqual(object.headers.get("etag"), later.headers.get("etag"));
      assert.equal(object.headers.get("content-type"), "application/json");
    });

    test("what is absent is 204 with nothing, also when it is deleted", async (t) => {
      const { call } = await setUp(t, await component(t));

      const replies = [
        await call("GET", `${store}/nobody`),
        await call("DELETE", `${store}/nobody`),
        await call("POST", store, []),
        await call("POST", `${store}/transaction`, { operations: [] }),
      ];

      assert.deepEqual(
        replies.map(({ status, text }) => [status, text]),
        replies.map(() => [204, ""]),
      );
    });

    test("etags and first-write guard a write, a delete and a transaction", async (t) => {
      const { call } = await setUp(t, await component(t));
      await call("POST", store, [{ key: "k", value: 1 }]);
      const etag = (await call("GET", `${store}/k`)).headers.get("etag") as string;
      const save = (entry: object) => call("POST", store, [{ key: "k", value: 2, ...entry }]);

      const refused = [
        await save({ etag: "4711" }),
        await save({ options: { concurrency: "first-write" } }),
        await call("POST", store, [{ key: "nobody", value: 1, etag }]),
        await call("DELETE", `${store}/k`, undefined, { "if-match": "4711" }),
        await call("DELETE", `${store}/k?concurrency=first-write`),
        await call("POST", `${store}/transaction`, {
          operations: [
            { operation: "upsert", request: { key: "new", value: 1 } },
            { operation: "delete", request: { key: "k", etag: "4711" } },
          ],
        }),
      ];
      const value = (await call("GET", `${store}/k`)).text;
      const half = (await call("GET", `${store}/new`)).status;
      const good = [
        await save({ etag }),
        await save({ etag: "" }),
        await save({ options: { concurrency: "last-write" } }),
      ];

      assert.deepEqual(
        refused.map((reply) => [reply.status, reply.errorCode()]),
        [
          [409, "ERR_STATE_SAVE"],
          [409, "ERR_STATE_SAVE"],
          [409, "ERR_STATE_SAVE"],
          [409, "ERR_STATE_DELETE"],
          [409, "ERR_STATE_DELETE"],
          [500, "ERR_STATE_TRANSACTION"],
        ],
      );
      assert.deepEqual([value, half], ["1", 204]);
      assert.deepEqual(
        good.map(({ status }) => status),
        [204, 204, 204],
      );
    });

    test("a time to live ends, -1 takes it away, and one that is not given too", async (t) => {
      const { call } = await setUp(t, await component(t));
      const save = (key: string, ttlInSeconds?: string) =>
        call("POST", store, [{ key, value: 1, ...(ttlInSeconds && { metadata: { ttlInSeconds } }) }]);
      const expires = async (key: string) =>
        (await call("GET", `${store}/${key}`)).headers.get("metadata.ttlexpiretime");

      for (const key of ["short", "kept", "again"]) await save(key, key === "short" ? "1" : "100");
      const before = Date.parse((await expires("kept")) ?? "");
      await save("kept", "-1");
      await save("again");
      while ((await call("GET", `${store}/short`)).status !== 204); // the test's own time limit ends it

      assert.ok(before > Date.now());
      assert.deepEqual([await expires("kept"), await expires("again")], [null, null]);
    });

    test("a transaction writes and deletes; a bulk reads what is there and what is not", async (t) => {
      const { call } = await setUp(t, await component(t));
      await call("POST", store, [{ key: "old", value: 1 }]);

      const done = await call("POST", `${store}/transaction`, {
        operations: [
          { operation: "upsert", request: { key: "new", value: { a: 1 } } },
          { operation: "delete", request: { key: "old" } },
        ],
        metadata: { ttlInSeconds: "60" },
      });
      const bulk = (
        await call("POST", `${store}/bulk`, { keys: ["new", "old"], parallelism: 10 })
      ).json() as {
        key: string;
        data?: unknown;
        etag?: string;
        metadata?: { ttlExpireTime: string };
      }[];

      assert.equal(done.status, 204);
      assert.deepEqual(
        bulk.map(({ key, data, etag }) => [key, data, typeof etag]),
        [
          ["new", { a: 1 }, "string"],
          ["old", undefined, "undefined"],
        ],
      );
      assert.ok(Date.parse(bulk[0]?.metadata?.ttlExpireTime ?? "") > Date.now());
    });
  });
}

const refusals: [
  what: string,
  method: string,
  path: string,
  body: unknown,
  status: number,
  errorCode: string,
][] = [
  ["broken JSON", "POST", store, "[{", 400, "ERR_MALFORMED_REQUEST"],
  ["no list", "POST", store, { key: "k" }, 400, "ERR_MALFORMED_REQUEST"],
  ["no key", "POST", store, [{ value: 1 }], 400, "ERR_MALFORMED_REQUEST"],
  ["a key with ||", "POST", store, [{ key: "a||b" }], 400, "ERR_MALFORMED_REQUEST"],
  ["an etag that is no text", "POST", store, [{ key: "k", etag: 5 }], 400, "ERR_MALFORMED_REQUEST"],
  [
    "metadata that is no text",
    "POST",
    store,
    [{ key: "k", metadata: { a: 1 } }],
    400,
    "ERR_MALFORMED_REQUEST",
  ],
  ["an odd concurrency", "POST", store, [{ key: "k", options: { concurrency: "x" } }], 500, "ERR_STATE_SAVE"],
  [
    "an odd time to live",
    "POST",
    store,
    [{ key: "k", metadata: { ttlInSeconds: "1.5" } }],
    500,
    "ERR_STATE_SAVE",
  ],
  ["keys that are none", "POST", `${store}/bulk`, { keys: "k" }, 400, "ERR_MALFORMED_REQUEST"],
  [
    "an odd operation",
    "POST",
    `${store}/transaction`,
    { operations: [{ operation: "put", request: { key: "k" } }] },
    400,
    "ERR_NOT_SUPPORTED_STATE_OPERATION",
  ],
  ["a query", "POST", "/v1.0-alpha1/state/store/query", {}, 500, "ERR_STATE_STORE_NOT_SUPPORTED"],
  ["an unknown store", "GET", "/v1.0/state/nobody/k", undefined, 400, "ERR_STATE_STORE_NOT_FOUND"],
  ["a secret store as state", "GET", "/v1.0/state/vault/k", undefined, 400, "ERR_STATE_STORE_NOT_FOUND"],
  ["another verb", "PATCH", `${store}/k`, undefined, 404, "ERR_DIRECT_INVOKE"],
  ["an unknown secret store", "GET", "/v1.0/secrets/nobody/k", undefined, 401, "ERR_SECRET_STORE_NOT_FOUND"],
  [
    "a body over 4 MiB",
    "POST",
    store,
    [{ key: "k", value: "x".repeat(4 * 1024 ** 2) }],
    400,
    "ERR_MALFORMED_REQUEST",
  ],
];
test("what cannot be is refused with Dapr's status and code", async (t) => {
  const { call } = await setUp(t);

  for (const [what, method, path, body, status, errorCode] of refusals) {
    const reply = await call(method, path, body);

    assert.deepEqual([reply.status, reply.errorCode()], [status, errorCode], what);
  }
});

test("secrets in bulk, without what is the sidecar's own", async (t) => {
  process.env.SIDECAR_STATE_ONE = "1";
  t.after(() => delete process.env.SIDECAR_STATE_ONE);
  const secretsFile = join(makeProject(t, { "s.json": '{"a":{"b":1,"c":null},"l":[true]}' }), "s.json");
  const { call } = await setUp(t);
  const { port } = await startLocal(t, [
    { name: "dots", type: "secretstores.local.file", metadata: { secretsFile, nestedSeparator: "." } },
  ]);

  assert.deepEqual((await call("GET", "/v1.0/secrets/vault/bulk")).json(), { ONE: { ONE: "1" } });
  assert.deepEqual((await call("GET", "/v1.0/secrets/vault/ONE")).json(), { ONE: "1" });
  assert.deepEqual((await caller(port)("GET", "/v1.0/secrets/dots/bulk")).json(), {
    "a.b": { "a.b": "1" },
    "a.c": { "a.c": "null" },
    "l.0": { "l.0": "true" },
  });
});

test("the unchanged Dapr SDK client keeps state and reads secrets", async (t) => {
  process.env.SIDECAR_STATE_TWO = "2";
  t.after(() => delete process.env.SIDECAR_STATE_TWO);
  const { port } = await setUp(t);
  const client = new DaprClient({
    daprHost: "127.0.0.1",
    daprPort: String(port),
    communicationProtocol: CommunicationProtocolEnum.HTTP,
  });
  t.after(() => client.stop());

  await client.state.save("store", [{ key: "k", value: { a: 1 } }]);
  await client.state.transaction("store", [
    { operation: "upsert", request: { key: "m", value: "two" } },
    { operation: "delete", request: { key: "nobody" } },
  ]);
  const bulk = await client.state.getBulk("store", ["k", "m"]);

  assert.deepEqual(await client.state.get("store", "k"), { a: 1 });
  assert.deepEqual(
    bulk.map(({ key, data }) => [key, data]),
    [
      ["k", { a: 1 }],
      ["m", "two"],
    ],
  );
  await client.state.delete("store", "k");
  assert.equal(await client.state.get("store", "k"), "");
  assert.deepEqual(await client.secret.get("vault", "TWO"), { TWO: "2" });
});

describe("state.redis", { skip: withoutRedis }, () => {
  test("an etag that redis cannot have made is 400; keys and hash are Dapr's", async (t) => {
    const redis = await startRedis(t, { password: "secret" });
    const metadata = { redisHost: "127.0.0.1", redisPort: String(redis.port), redisPassword: "secret" };
    const { call } = await setUp(t, { type: "state.redis", metadata });

    const odd = await call("POST", store, [{ key: "k", value: 1, etag: "no number" }]);
    await call("POST", store, [{ key: "k", value: { a: 1 } }]);
    await call("POST", store, [{ key: "k", value: { a: 2 } }]);

    assert.deepEqual([odd.status, odd.errorCode()], [400, "ERR_STATE_SAVE"]);
    assert.deepEqual(redis.ask("HGETALL", "f-default||k"), ["data", '{"a":2}', "version", "2"]);
  });

  test("a server that is away is 500 within seconds, and used again when it is back", async (t) => {
    const redis = await startRedis(t);
    const { call } = await setUp(t, {
      type: "state.redis",
      metadata: { redisHost: `127.0.0.1:${redis.port}` },
    });
    await call("POST", store, [{ key: "k", value: 1 }]);

    await redis.kill();
    const away = await call("GET", `${store}/k`);
    await redis.start();
    let back = await call("POST", store, [{ key: "k", value: 2 }]);
    while (back.status === 500) back = await call("POST", store, [{ key: "k", value: 2 }]);

    assert.deepEqual([away.status, away.errorCode()], [500, "ERR_STATE_GET"]);
    assert.equal(back.status, 204);
  });

  for (const [what, metadata, expected] of [
    ["no host", {}, /"redisHost".*is missing/],
    ["two servers", { redisHost: "a,b" }, /"redisHost".*one server/],
    ["two ports", { redisHost: "a:1", redisPort: "2" }, /"redisPort".*another port/],
    ["a cluster", { redisHost: "a", redisType: "cluster" }, /"redisType".*must be "node" here/],
  ] as [string, Record<string, string>, RegExp][]) {
    test(`${what} is an error of the metadata`, async (t) => {
      await assert.rejects(startLocal(t, [{ name: "store", type: "state.redis", metadata }]), expected);
    });
  }
});
