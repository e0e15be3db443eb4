/** ctx.secrets against the local runtime's stores. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { makeProject } from "../support/project";
import { anyCode, startBeside, startLocal } from "./support/sidecar";

async function setUp(
  t: TestContext,
  stores: Record<string, [type: string, metadata: Record<string, string>]>,
) {
  const { port } = await startLocal(
    t,
    Object.entries(stores).map(([name, [type, metadata]]) => ({ name, type, metadata })),
  );
  const { post } = await startBeside(t, { module: anyCode, port });
  return async (code: string) => (await post({ code })).json();
}

const secrets = JSON.stringify({ key: "plain", db: { user: "u", password: "p", port: 5432 }, list: ["a"] });

test("a secret is its value, nested ones by their path, with the only store of the sidecar", async (t) => {
  const secretsFile = join(makeProject(t, { "secrets.json": secrets }), "secrets.json");
  const run = await setUp(t, { file: ["secretstores.local.file", { secretsFile }] });

  const { value } = await run(`
    const get = (name) => ctx.secrets.get(name);
    return [await get("key"), await get("db:user"), await get("db:port"), await get("list:0")];`);
  const missing = await run(`return ctx.secrets.get("nobody");`);
  const parent = await run(`return ctx.secrets.get("db");`);

  assert.deepEqual(value, ["plain", "u", "5432", "a"]);
  assert.deepEqual([missing.code, missing.cause.errorCode], ["FF_SIDECAR_REFUSED", "ERR_SECRET_GET"]);
  assert.equal(parent.cause.errorCode, "ERR_SECRET_GET");
});

test("several keys under one name are an object; several stores must be named", async (t) => {
  const secretsFile = join(makeProject(t, { "secrets.json": secrets }), "secrets.json");
  process.env.SECRETS_TEST_TOKEN = "from the environment";
  process.env.DAPR_SECRETS_TEST = "not to be seen";
  t.after(() => {
    delete process.env.SECRETS_TEST_TOKEN;
    delete process.env.DAPR_SECRETS_TEST;
  });
  const run = await setUp(t, {
    file: ["secretstores.local.file", { secretsFile, multiValued: "true" }],
    env: ["secretstores.local.env", { prefix: "SECRETS_TEST_" }],
    bare: ["secretstores.local.env", {}],
  });

  const { value } = await run(`
    return [await ctx.secrets.get("db", { store: "file" }), await ctx.secrets.get("key", { store: "file" }),
      await ctx.secrets.get("TOKEN", { store: "env" }), await ctx.secrets.get("DAPR_SECRETS_TEST", { store: "bare" }),
      await ctx.secrets.get("nobody", { store: "env" })];`);
  const unnamed = await run(`return ctx.secrets.get("key");`);
  const unknown = await run(`return ctx.secrets.get("key", { store: "nobody" });`);

  assert.deepEqual(value, [
    { user: "u", password: "p", port: "5432" },
    "plain",
    "from the environment",
    "",
    "",
  ]);
  assert.equal(unnamed.code, "FF_SECRET_STORE");
  assert.match(unnamed.message, /"file", "env", "bare"/);
  assert.equal(unknown.cause.errorCode, "ERR_SECRET_STORE_NOT_FOUND");
});

test("wrong arguments, and a sidecar without a store, are told in words", async (t) => {
  const run = await setUp(t, {});

  const codes = [
    await run(`return ctx.secrets.get("");`),
    await run(`return ctx.secrets.get("key", "store");`),
    await run(`return ctx.secrets.get("..", { store: "file" });`),
    await run(`return ctx.secrets.get("key", { stor: "file" });`),
    await run(`return ctx.secrets.get("key", { store: "file", timeoutMs: "5" });`),
    await run(`return ctx.secrets.get("key");`),
    await run(`return ctx.secrets.get("key", { store: "file" });`),
  ];

  assert.deepEqual(
    codes.map(({ code, cause }) => cause?.errorCode ?? code),
    [...Array(5).fill("FF_SECRET_ARGUMENT"), "FF_SECRET_STORE", "ERR_SECRET_STORES_NOT_CONFIGURED"],
  );
});
