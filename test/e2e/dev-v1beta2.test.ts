/** Function CRs of v1beta2 under `dev`, and what a function asks of its deliveries there. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { freePorts, startDev } from "../support/dev";
import { connectOutside } from "../support/mqtt-client";
import { makeProject } from "../support/project";

const mqtt = (consumerID: string, more: Record<string, string> = {}) => ({
  metadata: Object.entries({ consumerID, url: "tcp://admin:public@emqx:1883", ...more }).map(
    ([name, value]) => ({
      name,
      value,
    }),
  ),
  version: "v1",
});
const pubsub = { stream: { type: "pubsub.mqtt3", ...mqtt("v1beta2") } };

function v1beta2(serving: object, annotations: Record<string, string> = {}): string {
  return JSON.stringify({
    apiVersion: "core.openfunction.io/v1beta2",
    kind: "Function",
    metadata: { name: "billing", annotations },
    spec: { image: "example/image", serving },
  });
}

async function startProject(t: TestContext, files: Record<string, string>, topics: string[]) {
  const dev = startDev(makeProject(t, files), freePorts);
  t.after(() => dev.stop("SIGKILL"));
  const { brokers } = await dev.ready();
  const port = new URL(brokers[0]?.address ?? "").port;
  const outside = await connectOutside(`mqtt://127.0.0.1:${port}`, topics);
  t.after(() => outside.stop());
  return { dev, outside };
}

test("a v1beta2 function is fed by its triggers, its hooks run, and the annotation makes it try again", async (t) => {
  const serving = {
    triggers: { dapr: [{ name: "stream", topic: "created", inputName: "created" }, { name: "mqtt-in" }] },
    outputs: [{ dapr: { name: "stream", topic: "paid", outputName: "paid" } }],
    hooks: { pre: ["mark"] },
    params: { FUNCTION_TARGET: "bill" },
    pubsub,
    bindings: { "mqtt-in": { type: "bindings.mqtt3", ...mqtt("b", { topic: "in" }) } },
  };
  const { dev, outside } = await startProject(
    t,
    {
      "function.yaml": v1beta2(serving, {
        "functions.openfunction.io/retry": '{"maxAttempts":3,"backoff":{"initial":1}}',
      }),
      "index.mjs": `const calls = {};
        export const bill = (ctx, data) => {
          const call = calls[ctx.input.name] = (calls[ctx.input.name] ?? 0) + 1;
          if (call < 3) throw new Error("not yet");
          return ctx.send({ data, call, by: ctx.locals.by, input: ctx.input.name }, "paid");
        };`,
      "plugins/mark.cjs": `module.exports = { mark: class {
          name = "mark"; version = "1";
          execPreHook(ctx) { ctx.locals.by = "mark"; }
          execPostHook() {}
        } };`,
    },
    ["paid"],
  );

  await outside.publish(
    "created",
    '{"specversion":"1.0","id":"1","source":"s","type":"t","data":"from the topic"}',
  );
  await outside.publish("in", '"from the binding"');
  await outside.count(2);
  await dev.next("delivery", ({ data }) => data.component === "stream" && data.outcome === "ack");
  await dev.next("delivery", ({ data }) => data.component === "mqtt-in" && data.outcome === "ack");

  const sent = outside.received.map(({ text }) => JSON.parse(text).data);
  assert.deepEqual(
    sent.sort((one, other) => (one.input < other.input ? -1 : 1)),
    [
      { data: "from the topic", call: 3, by: "mark", input: "created" },
      { data: "from the binding", call: 3, by: "mark", input: "mqtt-in" },
    ],
  );
  // The runtime has delivered each once: the other attempts were the process's own.
  assert.deepEqual(
    dev.all("delivery").map(({ data }) => `${data.attempt} ${data.outcome}`),
    ["1 ack", "1 ack"],
  );
  assert.equal(dev.all("invocation").filter(({ data }) => data.outcome === "retry").length, 4);
});

test("bulks, raw payloads and dead letters go from the function context to the broker and back", async (t) => {
  const stream = { componentName: "stream", componentType: "pubsub.mqtt3" };
  const bulkSubscribe = { enabled: true, maxMessagesCount: 3, maxAwaitDurationMs: 600_000 };
  const context = {
    name: "billing",
    runtime: "Async",
    inputs: {
      many: { ...stream, uri: "many", deadLetterTopic: "dead", bulkSubscribe },
      raw: { ...stream, uri: "raw", metadata: { rawPayload: "true" } },
    },
    outputs: { seen: { ...stream, uri: "seen" } },
  };
  const serving = {
    triggers: { dapr: ["many", "raw"].map((topic) => ({ name: "stream", topic, inputName: topic })) },
    params: { FUNCTION_TARGET: "bill", FUNC_CONTEXT: JSON.stringify(context) },
    pubsub,
  };
  const { dev, outside } = await startProject(
    t,
    {
      "function.yaml": v1beta2(serving),
      "index.cjs": `const { DropMessage } = require("@openfunction/functions-framework");
        exports.bill = (ctx, data) => {
          if (data === "bad") throw new DropMessage("it is no bill");
          return ctx.send({ input: ctx.input.name, data: Buffer.isBuffer(data) ? data.toString("hex") : data }, "seen");
        };`,
    },
    ["seen", "dead"],
  );
  const event = (id: string, data: unknown) =>
    JSON.stringify({ specversion: "1.0", id, source: "s", type: "t", data });

  await outside.publish("many", event("1", 1));
  await outside.publish("many", event("2", "bad"));
  await outside.publish("raw", '{"r":1}');
  await outside.publish("many", event("3", { n: 3 }));
  await outside.count(4);
  for (const id of ["1", "3"])
    await dev.next("delivery", ({ data }) => data.id === id && data.outcome === "ack");

  const received = outside.received.map(({ topic, text }) => ({ topic, event: JSON.parse(text) }));
  const dead = received.filter(({ topic }) => topic === "dead");
  assert.deepEqual(
    dead.map(({ event: one }) => [one.id, one.data]),
    [["2", "bad"]],
  );
  assert.deepEqual(
    received
      .filter(({ topic }) => topic === "seen")
      .map(({ event: one }) => JSON.stringify(one.data))
      .sort(),
    [
      { input: "many", data: 1 },
      { input: "many", data: { n: 3 } },
      { input: "raw", data: Buffer.from('{"r":1}').toString("hex") },
    ].map((one) => JSON.stringify(one)),
  );
  assert.deepEqual(
    dev
      .all("delivery")
      .filter(({ data }) => data.outcome === "drop")
      .map(({ data }) => data.id),
    ["2"],
  );
});
