/** A served function beside a sidecar, from broker to broker. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { startFramework } from "../e2e/support/framework";
import { freePort } from "../support/mosquitto";
import { makeProject } from "../support/project";
import { startBrokers, withoutBrokers } from "./support/brokers";
import { appId, type SidecarKind, sidecars } from "./support/sidecars";

const context = {
  name: appId,
  runtime: "Async",
  inputs: {
    jobs: { componentName: "in", componentType: "bindings.mqtt3" },
    big: {
      componentName: "stream",
      componentType: "pubsub.mqtt3",
      uri: "orders",
      match: "event.data.n > 10",
    },
    orders: {
      componentName: "stream",
      componentType: "pubsub.mqtt3",
      uri: "orders",
      deadLetterTopic: "letters",
    },
    many: {
      componentName: "stream",
      componentType: "pubsub.mqtt3",
      uri: "many",
      bulkSubscribe: { enabled: true, maxMessagesCount: 10, maxAwaitDurationMs: 100 },
    },
  },
  outputs: {
    done: { componentName: "out", componentType: "bindings.mqtt3", operation: "create" },
    bills: { componentName: "stream", componentType: "pubsub.mqtt3", uri: "bills" },
  },
  states: { carts: { componentName: "store", componentType: "state.redis" } },
};

async function setUp(
  t: TestContext,
  kind: SidecarKind,
  module: string,
  tokens: { apiToken?: string; appToken?: string } = {},
) {
  const { components, outside } = await startBrokers(t, ["out", "bills", "letters"]);
  const port = await freePort();
  const framework = await startFramework(["--target=handle"], {
    project: makeProject(t, {
      "index.mjs": `import { DropMessage } from "@openfunction/functions-framework";\n${module}`,
      "package.json": '{"main":"index.mjs"}',
    }),
    env: {
      FUNC_CONTEXT: JSON.stringify(context),
      DAPR_HTTP_PORT: String(port),
      APP_PROTOCOL: kind.appProtocol,
      DAPR_API_TOKEN: tokens.apiToken ?? "",
      APP_API_TOKEN: tokens.appToken ?? "",
    },
  });
  t.after(() => framework.stop());
  const sidecar = await kind.start({ components, port, appPort: framework.port, ...tokens });
  t.after(() => sidecar.stop());
  const publish = async (topic: string, data: unknown, type = "application/json") => {
    const { status } = await fetch(`http://127.0.0.1:${port}/v1.0/publish/stream/${topic}`, {
      method: "POST",
      headers: { "content-type": type, ...(tokens.apiToken && { "dapr-api-token": tokens.apiToken }) },
      body: typeof data === "string" ? data : JSON.stringify(data),
    });
    assert.equal(status, 204);
  };
  /** What the function has sent to a topic of the broker; events by their data. */
  const arrived = async (wanted: number, topic = "out") => {
    await outside.count(wanted);
    return outside.received.filter((one) => one.topic === topic).map(({ text }) => JSON.parse(text));
  };
  return { framework, outside, publish, arrived };
}

for (const kind of sidecars) {
  describe(`a function beside ${kind.name}`, { skip: kind.skip || withoutBrokers }, () => {
    test("gets the messages of its inputs, each with what it is", async (t) => {
      const { outside, publish, arrived } = await setUp(
        t,
        kind,
        `export const handle = (ctx, data) => ctx.send({ from: ctx.input.name, topic: ctx.input.topic ?? null, data, id: typeof ctx.event?.id }, "done");`,
        { appToken: "app-secret", apiToken: "api-secret" },
      );

      await outside.publish("in", '{"a":1}');
      await publish("orders", { n: 11 });
      await publish("orders", { n: 1 });
      await Promise.all([1, 2, 3].map((n) => publish("many", n)));
      const sent = await arrived(6);

      const byInput = (name: string) => sent.filter(({ from }) => from === name);
      assert.deepEqual(byInput("jobs"), [{ data: { a: 1 }, from: "jobs", id: "undefined", topic: null }]);
      assert.deepEqual(byInput("big"), [{ data: { n: 11 }, from: "big", id: "string", topic: "orders" }]);
      assert.deepEqual(byInput("orders"), [
        { data: { n: 1 }, from: "orders", id: "string", topic: "orders" },
      ]);
      assert.deepEqual(
        byInput("many")
          .map(({ data }) => data)
          .sort(),
        [1, 2, 3],
      );
    });

    test("data of every kind arrives as it was published", async (t) => {
      const { publish, arrived } = await setUp(
        t,
        kind,
        `export const handle = (ctx, data) => ctx.send({ data: Buffer.isBuffer(data) ? "bytes " + data.toString("hex") : data }, "done");`,
      );

      for (const data of [0, false, null, "", [], { a: "ü" }]) await publish("orders", JSON.stringify(data));
      await publish("orders", "text", "text/plain");
      await publish("orders", "\u0001", "application/octet-stream");
      const sent = await arrived(8);

      const texts = sent.map(({ data }) => JSON.stringify(data)).sort();
      assert.deepEqual(
        texts,
        [0, false, null, "", [], { a: "ü" }, "text", "bytes 01"].map((data) => JSON.stringify(data)).sort(),
      );
    });

    test("a throw brings the message again, a drop sends it to the dead letters", async (t) => {
      const { outside, publish, arrived } = await setUp(
        t,
        kind,
        `const calls = {};
        export const handle = async (ctx, data) => {
          const call = calls[ctx.input.name] = (calls[ctx.input.name] ?? 0) + 1;
          if (data === "drop") throw new DropMessage("never");
          if (call < 3) throw new Error("not yet");
          await ctx.send([ctx.input.name, call], "done");
        };`,
      );

      await outside.publish("in", '"job"');
      await publish("orders", '"order"');
      const sent = await arrived(2);
      await publish("orders", '"drop"');
      const letters = await arrived(3, "letters");

      assert.deepEqual(sent.sort(), [
        ["jobs", 3],
        ["orders", 3],
      ]);
      assert.deepEqual(
        letters.map(({ data }) => data),
        ["drop"],
      );
    });

    test("sends to bindings and topics are out before the message is done", async (t) => {
      const { outside, arrived } = await setUp(
        t,
        kind,
        `export const handle = (ctx, data) => { ctx.send(data, "done"); ctx.send(data, "bills", { metadata: { "cloudevent.type": "bill" } }); };`,
      );

      await outside.publish("in", '{"a":1}');
      const done = await arrived(2);
      const [bill] = await arrived(2, "bills");

      assert.deepEqual(done, [{ a: 1 }]);
      assert.deepEqual([bill.data, bill.type, bill.source, bill.topic], [{ a: 1 }, "bill", appId, "bills"]);
    });

    test("state, secrets and the unchanged SDK client work from inside of the function", async (t) => {
      const { outside, arrived } = await setUp(
        t,
        kind,
        `export const handle = async (ctx, key) => {
          await ctx.state.save({ key, value: { n: 1 } });
          const { etag } = await ctx.state.getEntry(key);
          await ctx.state.save({ key, value: { n: 2 }, etag });
          const conflict = await ctx.state.save({ key, value: 3, etag }).catch((err) => err.code);
          const client = await ctx.dapr();
          const bySdk = await client.state.get("store", key);
          await client.pubsub.publish("stream", "bills", { by: "sdk" });
          await ctx.send({ conflict, bySdk, own: await ctx.state.get(key), secret: await ctx.secrets.get("key") }, "done");
        };`,
        { apiToken: "api-secret" },
      );

      await outside.publish("in", '"k"');
      const [sent] = await arrived(2);
      const [bill] = await arrived(2, "bills");

      assert.deepEqual(sent, {
        bySdk: { n: 2 },
        conflict: "FF_STATE_CONFLICT",
        own: { n: 2 },
        secret: "secret",
      });
      assert.deepEqual(bill.data, { by: "sdk" });
    });

    test("SIGTERM under load: what was begun is out, and the process ends well", async (t) => {
      const { framework, outside, arrived } = await setUp(
        t,
        kind,
        `export const handle = async (ctx, data) => { console.log("begun"); await new Promise((r) => setTimeout(r, 200)); await ctx.send(data, "done"); };`,
      );

      await Promise.all(Array.from({ length: 20 }, (_, n) => outside.publish("in", String(n))));
      await framework.says("begun");
      framework.kill("SIGTERM");
      const { code, stdout } = await framework.ended();
      const begun = stdout.split("begun").length - 1;

      assert.equal(code, 0);
      assert.ok((await arrived(begun)).length >= begun);
    });
  });
}
