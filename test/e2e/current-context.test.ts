/** currentContext(): ctx for functions that are not given one, and what becomes of their sends. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { type AppReply, startApp } from "../support/app";
import { makeProject } from "../support/project";
import { startFramework } from "./support/framework";
import { request } from "./support/http";

const functions = `import * as functions from "@openfunction/functions-framework";
const { currentContext } = functions;
try { currentContext(); } catch (err) { console.log("outside:", err.code); }

functions.http("awaited", async (req, res) => {
  await currentContext().send(req.body, "bills");
  res.send("done");
});
functions.http("returned", (req) => {
  currentContext().send(req.body, "bills");
  return "done";
});
functions.http("first", (req, res) => {
  res.send("done");
  currentContext().send(req.body, "bills");
});
functions.http("later", (req, res) => {
  setTimeout(() => {
    const ctx = currentContext();
    res.once("close", () => setImmediate(() => ctx.send({ late: true }, "bills")));
    res.send("done");
  }, 1);
});
functions.cloudEvent("event", (event) => {
  const ctx = currentContext();
  ctx.send(event.data, "bills");
  return { id: ctx.event.id };
});
functions.event("legacy", (data) => void currentContext().send(data, "bills"));
functions.typed("typed", (order) => {
  currentContext().send(order, "bills");
  return { ok: true };
});
functions.http("own", async (req) => {
  const ctx = currentContext();
  ctx.locals.name = req.query.name;
  await new Promise((resolve) => setTimeout(resolve, 5));
  return { name: currentContext().locals.name, isSame: currentContext() === ctx, id: ctx.id, runtime: ctx.runtime };
});
functions.openfunction("given", (ctx) => ({ isSame: currentContext() === ctx }));
`;

const context = {
  name: "f",
  runtime: "Knative",
  outputs: { bills: { componentName: "stream", componentType: "pubsub.redis", uri: "bills" } },
};

async function setUp(t: TestContext, target: string, answer: () => AppReply = () => ({ status: 204 })) {
  const sidecar = await startApp(answer);
  t.after(() => sidecar.stop());
  const project = makeProject(t, { "index.mjs": functions, "package.json": '{"main":"index.mjs"}' });
  const framework = await startFramework([`--target=${target}`], {
    project,
    env: { FUNC_CONTEXT: JSON.stringify(context), DAPR_HTTP_PORT: String(sidecar.port) },
  });
  t.after(() => framework.stop());
  return { sidecar, framework };
}

const path = "/v1.0/publish/stream/bills";
const json = { "Content-Type": "application/json" };
const order = { method: "POST", headers: json, body: '{"order":7}' };
const event = {
  method: "POST",
  headers: {
    ...json,
    "ce-id": "e1",
    "ce-source": "/s",
    "ce-type": "t",
    "ce-specversion": "1.0",
    "ce-traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  },
  body: '{"order":7}',
};
const legacy = {
  method: "POST",
  headers: json,
  body: '{"data":{"order":7},"context":{"eventId":"1","eventType":"t","resource":"r","timestamp":"2026-01-01T00:00:00Z"}}',
};
const senders: [target: string, call: Parameters<typeof request>[1], status: number][] = [
  ["awaited", order, 200],
  ["returned", order, 200],
  ["first", order, 200],
  ["event", event, 200],
  ["legacy", legacy, 204],
  ["typed", order, 200],
];

for (const [target, call, status] of senders) {
  test(`"${target}" sends through the context of its call`, async (t) => {
    const { sidecar, framework } = await setUp(t, target);

    const reply = await request(framework.url, call);

    assert.equal(reply.status, status);
    await sidecar.count("POST", path, 1);
    const [sent] = sidecar.callsTo("POST", path);
    assert.equal(sent?.body, '{"order":7}');
    if (target === "event")
      assert.match(String(sent?.headers.traceparent), /^00-0af7651916cd43dd8448eb211c80319c-/);
    assert.match(framework.stdout, /outside: FF_NO_INVOCATION/);
  });
}

for (const [target, call, status] of senders) {
  const expected = target === "first" ? status : 500;
  test(`a send of "${target}" that fails and nobody handles ends in ${expected}, and in the log`, async (t) => {
    const { framework } = await setUp(t, target, () => ({ status: 500, body: '{"message":"broker down"}' }));

    const reply = await request(framework.url, call);

    assert.equal(reply.status, expected);
    await framework.says("broker down");
    const told = framework.stderr.split("\n").filter((line) => line.includes("FF_SEND_FAILED"));
    assert.equal(told.length, 1, framework.stderr);
  });
}

test("a send that is made and fails after the answer is told in the log", async (t) => {
  const { framework } = await setUp(t, "later", () => ({ status: 500, body: '{"message":"broker down"}' }));

  assert.equal((await request(framework.url, order)).status, 200);

  await framework.says("broker down");
  assert.equal((await request(framework.url, order)).status, 200);
});

test("each call has a context of its own", async (t) => {
  const { framework } = await setUp(t, "own");

  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  const replies = await Promise.all(
    names.map(async (name) => (await request(`${framework.url}?name=${name}`)).json()),
  );

  assert.deepEqual(
    replies.map(({ name }) => name),
    names,
  );
  assert.ok(replies.every(({ isSame, runtime }) => isSame && runtime === "Knative"));
  assert.equal(new Set(replies.map(({ id }) => id)).size, names.length);
});

test("a (ctx, data) function finds the ctx that it was given", async (t) => {
  const { framework } = await setUp(t, "given");

  assert.deepEqual((await request(framework.url, order)).json(), { isSame: true });
});
