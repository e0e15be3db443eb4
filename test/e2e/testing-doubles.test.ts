/** The doubles of `./testing`: ctx without a sidecar, a sidecar without a cluster, state and secrets of `invoke`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { CommunicationProtocolEnum, DaprClient } from "@dapr/dapr";

import * as functions from "../../src/index";
import { DropMessage, type OpenFunctionContext } from "../../src/index";
import { createTestSidecar, fakeContext, invoke, type TestSidecarOptions } from "../../src/testing";

type Ctx = OpenFunctionContext;

async function start(t: TestContext, options: TestSidecarOptions = {}) {
  const sidecar = await createTestSidecar(options);
  t.after(() => sidecar.stop());
  return sidecar;
}

describe("fakeContext", () => {
  test("records sends, also those that the function does not await", async () => {
    const ctx = fakeContext({ outputs: ["bills", "log"] });

    await ctx.send({ id: 1 });
    void ctx.send("later", "log", { metadata: { ttl: 5 } });
    await ctx.settled();

    assert.deepEqual(ctx.sentTo("bills"), [{ id: 1 }]);
    assert.deepEqual(ctx.sent.at(-1), { output: "log", data: "later", options: { metadata: { ttl: 5 } } });
  });

  test("resolves to what the outputs reply, and fails as they do", async () => {
    const refuse = () => {
      throw new Error("full");
    };
    const ctx = fakeContext({
      outputs: { store: (data) => ({ got: data }), bills: { uri: "b", reply: refuse } },
    });

    const [result] = await ctx.send(1, "store");
    void ctx.send(2, "bills");

    assert.deepEqual(result?.status === "fulfilled" && result.value.data, { got: 1 });
    await assert.rejects(ctx.settled(), { code: "FF_SEND_FAILED", message: /full/ });
  });

  test("refuses what a real output refuses", async () => {
    const ctx = fakeContext({ outputs: ["bills"] });

    await assert.rejects(ctx.send(1, "bill"), { code: "FF_SEND_UNKNOWN_OUTPUT", message: /bills/ });
    await assert.rejects(ctx.send(new Map(), "bills"), { code: "FF_SEND_FAILED" });
    await assert.rejects(ctx.send(1, "bills", { ttl: 1 } as object), { code: "FF_SEND_FAILED" });
    assert.deepEqual(ctx.sent, []);
  });

  test("keeps state by the rules of a store, and tells it", async () => {
    const ctx = fakeContext({ state: { cart: ["a"] } });

    const before = await ctx.state.getEntry("cart");
    await ctx.state.save({ key: "cart", value: ["a", "b"], etag: before?.etag });
    await ctx.state.transaction([{ operation: "upsert", request: { key: "n", value: 1 } }]);
    await ctx.state.delete("n");

    assert.deepEqual(await ctx.stored(), { cart: ["a", "b"] });
    await assert.rejects(ctx.state.save({ key: "cart", value: 1, etag: "old" }), {
      code: "FF_STATE_CONFLICT",
    });
    await assert.rejects(ctx.state.get("cart", "nobody"), { code: "FF_STATE_STORE_UNKNOWN" });
    assert.equal(await ctx.state.get("nothing"), undefined);
  });

  test("keeps several stores apart", async () => {
    const ctx = fakeContext({ states: ["one", "two"] });

    await ctx.state.save({ key: "k", value: 1 }, "two");

    assert.deepEqual([await ctx.stored(), await ctx.stored("two")], [{}, { k: 1 }]);
    await assert.rejects(ctx.stored("three"), /one, two/);
  });

  test("has secrets", async () => {
    const ctx = fakeContext({ secrets: { password: "p", db: { user: "u", password: "q" } } });

    assert.equal(await ctx.secrets.get("password"), "p");
    assert.deepEqual(await ctx.secrets.get("db"), { user: "u", password: "q" });
    await assert.rejects(ctx.secrets.get("nobody"), { code: "FF_SIDECAR_REFUSED" });
  });

  test("has every member of ctx, and those of the function context", async () => {
    const context = {
      name: "invoices",
      version: "v2",
      runtime: "Async",
      inputs: { orders: { componentName: "stream", componentType: "pubsub.redis", uri: "orders" } },
      outputs: { bills: { componentName: "mqtt", componentType: "bindings.mqtt3", operation: "create" } },
      prePlugins: ["a"],
    };
    const client = {} as DaprClient;
    const event = { id: "7", source: "/s", type: "t", specversion: "1.0" } as functions.CloudEvent;
    const ctx = fakeContext({
      context,
      event,
      id: "my-id",
      locals: { a: 1 },
      dapr: client,
      rawBody: Buffer.from("x"),
    });

    assert.deepEqual(
      [ctx.name, ctx.version, ctx.runtime, ctx.prePlugins],
      ["invoices", "v2", "Async", ["a"]],
    );
    assert.deepEqual(ctx.input, {
      name: "orders",
      componentName: "stream",
      componentType: "pubsub.redis",
      topic: "orders",
      metadata: {},
    });
    assert.deepEqual([ctx.id, ctx.locals, ctx.event, ctx.error], ["my-id", { a: 1 }, event, undefined]);
    assert.deepEqual([ctx.req, ctx.res, ctx.rawBody?.toString()], [undefined, undefined, "x"]);
    assert.equal(ctx.signal.aborted, false);
    assert.equal(await ctx.dapr(), client);
    assert.equal(ctx.getPlugin("a"), undefined);
    assert.deepEqual(ctx.sidecarPort, { HTTP: "3500", GRPC: "50001" });
    ctx.log.warn("careful", { n: 1 });
    assert.deepEqual(ctx.logged, [{ level: "warn", message: "careful", fields: { n: 1 } }]);
  });

  test("needs nothing: an id of its own, no input, no SDK", async () => {
    const ctx = fakeContext();

    assert.match(ctx.id, /^\w{12}$/);
    assert.equal(ctx.input, undefined);
    assert.deepEqual(await ctx.send(1), []);
    await assert.rejects(ctx.dapr(), { code: "FF_TEST_SDK" });
  });

  test("without a store there is no state, and a seed that is no JSON is the test's error", async () => {
    const ctx = fakeContext({ context: { name: "f", runtime: "Async", states: {} } });

    assert.deepEqual(await ctx.stored(), {});
    await assert.rejects(ctx.state.get("k"), { code: "FF_STATE_STORE_UNKNOWN" });
    assert.throws(() => fakeContext({ state: { big: 1n } }), TypeError);
  });

  test("follows a signal of the test", async () => {
    const stop = new AbortController();
    const ctx = fakeContext({ signal: stop.signal });
    const pending = once(ctx.signal, "abort");

    stop.abort(new Error("enough"));
    await pending;

    assert.equal((ctx.signal.reason as Error).message, "enough");
    await assert.rejects(ctx.state.get("k"), { code: "FF_SIDECAR_ABORTED" });
  });

  test("says what is wrong with a context", () => {
    assert.throws(() => fakeContext({ context: "{" }), { code: "FF_CONTEXT_SYNTAX" });
    assert.throws(() => fakeContext({ context: { name: "f", runtime: "Strange" } }), {
      code: "FF_CONTEXT_INVALID",
    });
  });
});

describe("invoke", () => {
  functions.openfunction("cart", async (ctx, { user, item }) => {
    const items = [...((await ctx.state.get(user)) ?? []), item];
    await ctx.state.save({ key: user, value: items });
    return { items, secret: await ctx.secrets.get("key") };
  });
  functions.openfunction("sdk", (ctx) => ctx.dapr());

  test("gives a function state and secrets, and tells the state afterwards", async () => {
    const { value, state } = await invoke(
      "cart",
      { user: "u", item: "b" },
      { state: { u: ["a"] }, secrets: { key: "s" } },
    );

    assert.deepEqual(value, { items: ["a", "b"], secret: "s" });
    assert.deepEqual(state, { u: ["a", "b"] });
  });

  test("takes a context, also one without stores", async () => {
    functions.openfunction("named", (ctx) => [ctx.name, ctx.version]);
    const context = { name: "f", version: "v2", runtime: "Knative", states: {} };

    const { value, state } = await invoke("named", {}, { context });

    assert.deepEqual([value, state], [["f", "v2"], {}]);
  });

  test("does not wait for a sidecar that is not there", async () => {
    const { status, error } = await invoke("sdk");

    assert.deepEqual([status, (error as { code?: string }).code], [500, "FF_TEST_SDK"]);
  });
});

describe("createTestSidecar", () => {
  const relay = async (ctx: Ctx, data: { id: number }) => {
    await ctx.send(data, "bills");
    return { seen: data.id };
  };

  test("delivers to a binding, and has its value and what was sent", async (t) => {
    const sidecar = await start(t, { inputs: ["orders"], outputs: ["bills"] });
    await sidecar.serve(relay);

    const { outcome, value, status, attempts } = await sidecar.deliver("orders", { id: 7 });

    assert.deepEqual([outcome, value, status, attempts], ["ack", { seen: 7 }, 200, 1]);
    assert.deepEqual(sidecar.sent, [
      { output: "bills", component: "bills", data: { id: 7 }, options: { operation: "create" } },
    ]);
  });

  test("delivers to a topic, in an event; what is published has one too", async (t) => {
    const sidecar = await start(t, {
      inputs: { orders: { uri: "shop/orders", componentName: "stream" } },
      outputs: { bills: { uri: "bills", componentName: "stream" } },
    });
    let seen: unknown;
    await sidecar.serve(async (ctx: Ctx, data) => {
      seen = [data, ctx.event?.id, ctx.event?.type, ctx.input?.topic, ctx.input?.metadata];
      await ctx.send(data, "bills", { metadata: { ttlInSeconds: 60 } });
    });

    const { outcome } = await sidecar.deliver("orders", [1], {
      event: { id: "e", type: "order" },
      metadata: { key: "k" },
    });

    assert.equal(outcome, "ack");
    assert.deepEqual(seen, [[1], "e", "order", "shop/orders", { key: "k", pubsubname: "stream" }]);
    const [send] = sidecar.sent;
    assert.deepEqual(
      [send?.output, send?.topic, send?.data, send?.options],
      ["bills", "bills", [1], { metadata: { ttlInSeconds: "60" } }],
    );
    assert.equal(send?.event?.pubsubname, "stream");
  });

  const bodies: [unknown, unknown][] = [
    ["text", "text"],
    [Buffer.from([255, 0]), "bytes ff00"],
    [undefined, {}],
    [0, 0],
    [null, null],
    [{ a: "ü" }, { a: "ü" }],
  ];
  for (const [data, expected] of bodies) {
    test(`data arrives as it is: ${JSON.stringify(data)}`, async (t) => {
      const sidecar = await start(t, { inputs: { orders: {}, events: { uri: "e" } } });
      await sidecar.serve((ctx: Ctx, got) => {
        ctx.locals.got = Buffer.isBuffer(got) ? `bytes ${got.toString("hex")}` : got;
      });

      const binding = await sidecar.deliver("orders", data);
      const topic = await sidecar.deliver("events", data);

      assert.deepEqual(binding.locals.got, expected);
      assert.deepEqual(topic.locals.got, data === undefined ? null : expected);
    });
  }

  test("an outcome is what the function says: a throw, a drop, another attempt", async (t) => {
    const sidecar = await start(t, { inputs: { orders: {}, events: { uri: "e", deadLetterTopic: "dead" } } });
    let calls = 0;
    await sidecar.serve((_ctx: Ctx, data) => {
      if (data === "drop") throw new DropMessage("never");
      if (data === "throw") throw new TypeError("no luck");
      if (++calls < 3) throw new Error("not yet");
    });

    const thrown = [await sidecar.deliver("orders", "throw"), await sidecar.deliver("events", "throw")];
    const dropped = [await sidecar.deliver("orders", "drop"), await sidecar.deliver("events", "drop")];
    const third = await sidecar.deliver("events", "again", { attempts: 5 });

    assert.deepEqual(
      thrown.map(({ outcome, status, error }) => [outcome, status, error]),
      [
        ["retry", 500, new TypeError("no luck")],
        ["retry", 200, new TypeError("no luck")],
      ],
    );
    assert.deepEqual(
      dropped.map(({ outcome, error }) => [outcome, (error as Error).message]),
      [
        ["ack", "never"], // a binding knows no drop
        ["drop", "never"],
      ],
    );
    assert.deepEqual(
      sidecar.sent.map(({ topic, data }) => [topic, data]),
      [["dead", "drop"]],
    );
    assert.deepEqual([third.outcome, third.attempts, third.error], ["ack", 3, undefined]);
  });

  test("an output fails as often as the test wants, and what it replies is the test's", async (t) => {
    const sidecar = await start(t, { inputs: ["orders"], outputs: ["bills"] });
    await sidecar.serve(relay);
    sidecar.fail("bills", { times: 1, message: "no broker" });

    const first = await sidecar.deliver("orders", { id: 1 });
    const second = await sidecar.deliver("orders", { id: 1 });

    assert.deepEqual([first.outcome, second.outcome], ["retry", "ack"]);
    assert.match((first.error as Error).message, /no broker/);
    assert.deepEqual(sidecar.sentTo("bills"), [{ id: 1 }, { id: 1 }]);
    assert.throws(() => sidecar.fail("bill"), { code: "FF_TEST_OUTPUT", message: /bills/ });
  });

  test("a reply of an output reaches the function", async (t) => {
    const sidecar = await start(t, { inputs: ["ask"], outputs: { store: () => ({ stored: true }) } });
    await sidecar.serve(async (ctx: Ctx) => {
      const [result] = await ctx.send({ key: "k" }, "store", { operation: "get" });
      return result?.status === "fulfilled" ? result.value.data : "none";
    });

    assert.deepEqual((await sidecar.deliver("ask")).value, { stored: true });
    sidecar.reply("store", undefined);
    assert.equal((await sidecar.deliver("ask")).value, undefined);
    assert.deepEqual(sidecar.sent[0]?.options, { operation: "get" });
  });

  test("state and secrets are there, and the unchanged SDK talks to them from inside of the function", async (t) => {
    const sidecar = await start(t, {
      inputs: ["orders"],
      outputs: ["bills"],
      state: { n: 1 },
      secrets: { key: "s" },
    });
    await sidecar.serve(async (ctx: Ctx) => {
      const n = await ctx.state.get("n");
      await ctx.state.save({ key: "n", value: n + 1 });
      const client = await ctx.dapr();
      await client.binding.send("bills", "create", { by: "sdk" });
      return { sdk: await client.state.get("state", "n"), secret: await ctx.secrets.get("key") };
    });

    const { value, error } = await sidecar.deliver("orders");

    assert.equal(error, undefined);
    assert.deepEqual(value, { sdk: 2, secret: "s" });
    assert.deepEqual(await sidecar.state.all(), { n: 2 });
    await sidecar.state.set("n", 5);
    assert.equal(await sidecar.state.get("n"), 5);
    assert.deepEqual(sidecar.sentTo("bills"), [{ by: "sdk" }]);
  });

  test("rules choose the input, raw bytes come without an event, bulks arrive one by one", async (t) => {
    const sidecar = await start(t, {
      inputs: {
        big: { componentName: "s", uri: "orders", match: "event.data.n > 10" },
        rest: { componentName: "s", uri: "orders" },
        many: { componentName: "s", uri: "many", bulkSubscribe: { enabled: true, maxAwaitDurationMs: 1 } },
      },
    });
    const seen: unknown[] = [];
    await sidecar.serve((ctx: Ctx, data) => void seen.push([ctx.input?.name, data]));

    await sidecar.deliver("rest", { n: 11 });
    await sidecar.deliver("big", { n: 1 });
    const raw = await sidecar.deliver("rest", "5", { raw: true });
    const bulk = await Promise.all([1, 2, 3].map((n) => sidecar.deliver("many", n)));

    assert.deepEqual(seen.slice(0, 3), [
      ["big", { n: 11 }],
      ["rest", { n: 1 }],
      ["rest", 5],
    ]);
    assert.deepEqual([raw.outcome, ...bulk.map(({ outcome }) => outcome)], ["ack", "ack", "ack", "ack"]);
    assert.deepEqual(seen.slice(3).sort(), [
      ["many", 1],
      ["many", 2],
      ["many", 3],
    ]);
  });

  test("many deliveries at once do not mix", async (t) => {
    const sidecar = await start(t, { inputs: ["orders"] });
    await sidecar.serve(async (_ctx: Ctx, n: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      if (n % 2) throw new Error(String(n));
      return n;
    });

    const all = await Promise.all(Array.from({ length: 200 }, (_, n) => sidecar.deliver("orders", n)));

    all.forEach(({ outcome, value, error }, n) => {
      if (n % 2) assert.deepEqual([outcome, (error as Error).message], ["retry", String(n)]);
      else assert.deepEqual([outcome, value], ["ack", n]);
    });
  });

  test("tokens are asked for on both sides", async (t) => {
    const sidecar = await start(t, {
      inputs: ["orders"],
      outputs: ["bills"],
      apiToken: "api",
      appToken: "app",
    });
    const { url } = await sidecar.serve(relay);

    const { outcome } = await sidecar.deliver("orders", { id: 1 });
    const direct = await fetch(`${url}/orders`, { method: "POST", body: "1" });
    const call = await fetch(`${sidecar.url}/v1.0/metadata`);

    assert.equal(outcome, "ack");
    assert.deepEqual([direct.status, call.status], [401, 401]);
  });

  test("an error in a timer of the function is its own, and a time limit a retry", async (t) => {
    const sidecar = await start(t, { inputs: ["orders"] });
    await sidecar.serve(
      (_ctx: Ctx, data) =>
        new Promise(() => {
          if (data === "timer")
            setTimeout(() => {
              throw new Error("in a timer");
            }, 1);
        }),
      { timeout: 0.05 },
    );

    const timer = await sidecar.deliver("orders", "timer");
    const late = await sidecar.deliver("orders", "late");

    assert.deepEqual([timer.outcome, (timer.error as Error).message], ["retry", "in a timer"]);
    assert.deepEqual(
      [late.outcome, (late.error as { code?: string }).code],
      ["retry", "FF_FUNCTION_TIMEOUT"],
    );
  });

  test("registered functions are served by name, with hooks, and take each other's place", async (t) => {
    functions.openfunction("first", () => "first");
    functions.openfunction("second", () => "second");
    const sidecar = await start(t, { inputs: ["orders"] });

    await sidecar.serve("first");
    const one = await sidecar.deliver("orders");
    await sidecar.serve("second", { hooks: [async (_invocation, next) => `${await next()} hooked`] });
    const two = await sidecar.deliver("orders");

    assert.deepEqual([one.value, two.value], ["first", "second hooked"]);
    await assert.rejects(sidecar.serve("nobody"), { code: "FF_TARGET_NOT_FOUND" });
  });

  test("what cannot be delivered says why", async (t) => {
    const sidecar = await start(t, { inputs: ["orders"] });

    await assert.rejects(sidecar.deliver("orders"), { code: "FF_TEST_NOT_SERVED" });
    await sidecar.serve(relay);
    await assert.rejects(sidecar.deliver("order"), { code: "FF_TEST_INPUT", message: /orders/ });
  });

  test("an app of its own, in a process of its own, is attached", async (t) => {
    const sidecar = await start(t, {
      inputs: { orders: { uri: "orders", componentName: "stream" } },
      outputs: ["bills"],
    });
    const app = `
      const http = require("node:http");
      const answer = async (req, res) => {
        if (req.url === "/dapr/subscribe") return res.end(JSON.stringify([{ pubsubname: "stream", topic: "orders", route: "/o" }]));
        if (req.method !== "POST") return res.writeHead(404).end();
        await fetch("http://127.0.0.1:" + process.env.DAPR_HTTP_PORT + "/v1.0/bindings/bills", { method: "POST", body: '{"operation":"create","data":1}' });
        res.end('{"status":"SUCCESS"}');
      };
      http.createServer(answer).listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;
    const child = spawn(process.execPath, ["-e", app], {
      env: { ...process.env, ...sidecar.env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    const [port] = await once(child.stdout, "data");

    await sidecar.attach(`http://127.0.0.1:${String(port).trim()}`);
    const { outcome } = await sidecar.deliver("orders", 1);

    assert.equal(outcome, "ack");
    assert.deepEqual(sidecar.sentTo("bills"), [1]);
  });

  test("an app that is gone is a retry, not a hang", async (t) => {
    const sidecar = await start(t, { inputs: ["orders"] });
    const served = await sidecar.serve(relay);
    await served.stop();

    const { outcome, status } = await sidecar.deliver("orders", { id: 1 });

    assert.deepEqual([outcome, status], ["retry", 0]);
  });

  test("stop ends what is being delivered", async (t) => {
    const sidecar = await start(t, { inputs: ["orders"] });
    let begun: () => void = () => undefined;
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    await sidecar.serve(() => {
      begun();
      return new Promise(() => undefined);
    });

    const delivery = sidecar.deliver("orders", 1);
    await isBegun;
    await sidecar.stop();

    assert.equal((await delivery).outcome, "retry");
  });

  test("under runtime Knative the function is asked over HTTP", async (t) => {
    const context = { name: "f", runtime: "Knative", outputs: {} };
    const sidecar = await start(t, { context, outputs: ["bills"] });
    const { url } = await sidecar.serve(relay);

    const reply = await fetch(url, {
      method: "POST",
      body: '{"id":3}',
      headers: { "content-type": "application/json" },
    });

    assert.deepEqual([await reply.json(), sidecar.sentTo("bills")], [{ seen: 3 }, [{ id: 3 }]]);
  });

  test("stop may be called twice, and leaves nothing that holds the process", async () => {
    const sidecar = await createTestSidecar({ inputs: ["orders"] });
    await sidecar.serve(relay);

    await sidecar.stop();
    await sidecar.stop();

    await assert.rejects(fetch(`${sidecar.url}/v1.0/healthz`));
  });

  test("a client of the SDK outside of the function works as well", async (t) => {
    const sidecar = await start(t, { outputs: { bills: { uri: "bills", componentName: "stream" } } });
    const client = new DaprClient({
      daprHost: "127.0.0.1",
      daprPort: String(sidecar.port),
      communicationProtocol: CommunicationProtocolEnum.HTTP,
    });
    t.after(() => client.stop());

    await client.pubsub.publish("stream", "bills", { n: 1 });

    assert.deepEqual(sidecar.sentTo("bills"), [{ n: 1 }]);
  });
});
