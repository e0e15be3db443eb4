/** One test file of a user, in the dialects of module systems and test runners. */

export type Modules = "cjs" | "esm" | "typescript";
export type Runner = "node:test" | "jest" | "vitest";

const imports: [names: string, from: string][] = [
  ["assert", "node:assert/strict"],
  ["{ cloudEvent, http, openfunction }", "@openfunction/functions-framework"],
  [
    "{ createTestSidecar, fakeContext, getFunction, getTestServer, invoke }",
    "@openfunction/functions-framework/testing",
  ],
  ["request", "supertest"],
];
const typeImports =
  'import type { OpenFunctionContext, Request, Response } from "@openfunction/functions-framework";';

/** Jest has `test` as a global. */
const runnerImports: Record<Runner, [string, string][]> = {
  "node:test": [["{ test }", "node:test"]],
  vitest: [["{ test }", "vitest"]],
  jest: [],
};

/** How many tests the story has. */
export const storyTests = 7;

export function story(runner: Runner, modules: Modules): string {
  const all = [...imports, ...runnerImports[runner]];
  const lines = all.map(([names, from]) =>
    modules === "cjs" ? `const ${names} = require("${from}");` : `import ${names} from "${from}";`,
  );
  const isTyped = modules === "typescript";
  if (isTyped) lines.push(typeImports);
  return [...lines, functions(isTyped), tests].join("\n");
}

const functions = (isTyped: boolean) => {
  const typed = (type: string) => (isTyped ? `: ${type}` : "");
  return `
http("hello", (req${typed("Request")}, res${typed("Response")}) => {
  res.send("Hello, " + req.query.u);
});
cloudEvent${isTyped ? "<{ n: number }>" : ""}("stored", (event) => ({ id: event.id, next: (event.data?.n ?? 0) + 1 }));
openfunction("relay", async (ctx${typed("OpenFunctionContext")}, data${typed("{ order: number }")}) => {
  const sent = await ctx.send(data);
  return { order: data.order, sent: sent.length };
});`;
};

const tests = `
test("an http function", async () => {
  const reply = await request(getTestServer("hello")).get("/?u=you").expect(200);
  assert.equal(reply.text, "Hello, you");
});
test("a cloudevent function", async () => {
  const headers = { "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0" };
  const reply = await request(getTestServer("stored")).post("/").set(headers).send({ n: 1 }).expect(200);
  assert.deepEqual(reply.body, { id: "1", next: 2 });
});
test("a (ctx, data) function", async () => {
  const reply = await request(getTestServer("relay")).post("/").send({ order: 7 }).expect(200);
  assert.deepEqual(reply.body, { order: 7, sent: 0 });
});
test("a context alone", async () => {
  const ctx = fakeContext({ outputs: ["bills"], state: { n: 1 }, secrets: { key: "s" } });
  await ctx.send({ id: 1 });
  await ctx.state.save({ key: "n", value: (await ctx.state.get("n")) + 1 });
  assert.deepEqual([ctx.sentTo("bills"), await ctx.stored()], [[{ id: 1 }], { n: 2 }]);
  assert.equal(await ctx.secrets.get("key"), "s");
});
test("a sidecar, with rules", async () => {
  const inputs = { big: { uri: "orders", match: "event.data.order > 5" } };
  const sidecar = await createTestSidecar({ inputs, outputs: ["bills"] });
  await sidecar.serve("relay");
  sidecar.fail("bills", { times: 1 });
  const { outcome, attempts } = await sidecar.deliver("big", { order: 7 }, { attempts: 3 });
  await sidecar.deliver("big", { order: 1 });
  await sidecar.stop();
  assert.deepEqual([outcome, attempts, sidecar.sentTo("bills").length], ["ack", 2, 2]);
});
test("a single call with state", async () => {
  const { value, state } = await invoke("relay", { order: 7 }, { outputs: ["bills"], state: { kept: true } });
  assert.deepEqual([value, state], [{ order: 7, sent: 1 }, { kept: true }]);
});
test("functions by name", () => {
  assert.equal(typeof getFunction("hello"), "function");
  assert.equal(getFunction("nobody"), undefined);
  assert.throws(() => getTestServer("nobody"), { code: "FF_TARGET_NOT_FOUND" });
});
`;
