/** The sidecar API of the local runtime: status and errorCode are Dapr's contract. The broker is the embedded one. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { CommunicationProtocolEnum, DaprClient } from "@dapr/dapr";

import { type Broker, startBroker } from "../../src/local/broker";
import { type Runtime, startRuntime } from "../../src/local/runtime";
import { type App, startApp } from "../support/app";
import { connectOutside, type OutsideClient } from "../support/mqtt-client";

const anyPort = { port: 0, explicit: false, flag: "--port" };

describe("the sidecar API", () => {
  let broker: Broker;
  let runtime: Runtime;
  let app: App;
  let outside: OutsideClient;
  let origin: string;

  before(async () => {
    broker = await startBroker({ port: anyPort, onNotice: () => undefined });
    outside = await connectOutside(broker.url, ["out", "elsewhere", "pub", "a/b"]);
    const url = "tcp://admin:public@emqx:1883";
    runtime = await startRuntime({
      function: "f",
      appId: "f-default",
      components: [
        {
          name: "mqtt-out",
          type: "bindings.mqtt",
          version: "v1",
          metadata: { consumerID: "{uuid}", url, topic: "out" },
        },
        { name: "stream", type: "pubsub.mqtt", version: "v1", metadata: { consumerID: "{uuid}", url } },
      ],
      port: anyPort,
      embeddedBroker: broker.url,
      onNotice: () => undefined,
    });
    origin = `http://127.0.0.1:${runtime.port}`;
    app = await startApp(() => undefined);
  });
  after(async () => {
    await outside.stop();
    await runtime.stop();
    await app.stop();
    await broker.stop();
  });

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const text = typeof body === "string" ? body : body === undefined ? undefined : JSON.stringify(body);
    const reply = await fetch(`${origin}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(text !== undefined && { body: text }),
    });
    const content = await reply.text();
    return {
      status: reply.status,
      headers: reply.headers,
      body: content === "" ? undefined : JSON.parse(content),
    };
  }

  async function published(count: number, work: () => Promise<unknown>) {
    const before = outside.received.length;
    await work();
    await outside.count(before + count);
    return outside.received.slice(before);
  }

  const refusals: [string, string, string, unknown, number, string][] = [
    ["broken JSON", "POST", "/v1.0/bindings/mqtt-out", "{", 400, "ERR_MALFORMED_REQUEST"],
    [
      "metadata that is no text",
      "POST",
      "/v1.0/bindings/mqtt-out",
      { operation: "create", metadata: { n: 1 } },
      400,
      "ERR_MALFORMED_REQUEST",
    ],
    ["no operation", "POST", "/v1.0/bindings/mqtt-out", { data: 1 }, 500, "ERR_INVOKE_OUTPUT_BINDING"],
    [
      "an unknown operation",
      "POST",
      "/v1.0/bindings/mqtt-out",
      { operation: "list" },
      500,
      "ERR_INVOKE_OUTPUT_BINDING",
    ],
    [
      "an unknown binding",
      "POST",
      "/v1.0/bindings/nobody",
      { operation: "create" },
      500,
      "ERR_INVOKE_OUTPUT_BINDING",
    ],
    [
      "a pub/sub used as a binding",
      "POST",
      "/v1.0/bindings/stream",
      { operation: "create" },
      500,
      "ERR_INVOKE_OUTPUT_BINDING",
    ],
    ["an unknown pub/sub", "POST", "/v1.0/publish/nobody/t", {}, 404, "ERR_PUBSUB_NOT_FOUND"],
    ["a binding used as pub/sub", "POST", "/v1.0/publish/mqtt-out/t", {}, 404, "ERR_PUBSUB_NOT_FOUND"],
    ["no topic", "POST", "/v1.0/publish/stream/", {}, 404, "ERR_DIRECT_INVOKE"],
    ["a topic that is a filter", "POST", "/v1.0/publish/stream/a/%2B", {}, 500, "ERR_PUBSUB_PUBLISH_MESSAGE"],
    [
      "a rawPayload that is no boolean",
      "POST",
      "/v1.0/publish/stream/t?metadata.rawPayload=maybe",
      {},
      400,
      "ERR_PUBSUB_REQUEST_METADATA",
    ],
    ["another verb", "DELETE", "/v1.0/bindings/mqtt-out", undefined, 404, "ERR_DIRECT_INVOKE"],
    ["an unknown path", "GET", "/v1.0/nothing", undefined, 404, "ERR_DIRECT_INVOKE"],
    [
      "state, of which nothing is configured",
      "GET",
      "/v1.0/state/store/key",
      undefined,
      500,
      "ERR_STATE_STORE_NOT_CONFIGURED",
    ],
    [
      "secrets, of which nothing is configured",
      "GET",
      "/v1.0/secrets/store/key",
      undefined,
      500,
      "ERR_SECRET_STORES_NOT_CONFIGURED",
    ],
    [
      "a binding request over 4 MiB",
      "POST",
      "/v1.0/bindings/mqtt-out",
      { data: "x".repeat(4 * 1024 ** 2) },
      400,
      "ERR_MALFORMED_REQUEST",
    ],
    [
      "a publish over 4 MiB",
      "POST",
      "/v1.0/publish/stream/t",
      { data: "x".repeat(4 * 1024 ** 2) },
      500,
      "ERR_PUBSUB_PUBLISH_MESSAGE",
    ],
  ];
  for (const [what, method, path, body, status, errorCode] of refusals) {
    test(`${what} is ${status} ${errorCode}`, async () => {
      const reply = await call(method, path, body);

      assert.deepEqual([reply.status, reply.body.errorCode], [status, errorCode]);
      assert.equal(typeof reply.body.message, "string");
    });
  }

  test("a CloudEvent that is no JSON is 500 ERR_PUBSUB_CLOUD_EVENTS_SER", async () => {
    const reply = await call("POST", "/v1.0/publish/stream/t", "{", {
      "content-type": "application/cloudevents+json",
    });

    assert.deepEqual([reply.status, reply.body.errorCode], [500, "ERR_PUBSUB_CLOUD_EVENTS_SER"]);
  });

  test("outbound health is there at once, health when the app is, metadata always", async () => {
    assert.equal((await call("GET", "/v1.0/healthz/outbound")).status, 204);
    assert.deepEqual([(await call("GET", "/v1.0/healthz")).status], [500]);
    const metadata = (await call("GET", "/v1.0/metadata")).body;
    assert.equal(metadata.id, "f-default");
    assert.deepEqual(
      metadata.components.map((one: { name: string; type: string }) => `${one.name} ${one.type}`),
      ["mqtt-out bindings.mqtt", "stream pubsub.mqtt"],
    );

    await runtime.attach(app.origin);

    assert.equal((await call("GET", "/v1.0/healthz")).status, 204);
    assert.equal((await call("GET", "/v1.0/metadata")).body.appConnectionProperties.port, app.port);
  });

  test("a binding's data is written again: texts keep their quotes, keys are sorted, missing data is null", async () => {
    const send = (data?: unknown) => call("POST", "/v1.0/bindings/mqtt-out", { operation: "create", data });

    const messages = await published(4, async () => {
      assert.equal((await send("hello")).status, 204);
      await send({ b: 1, a: [{ d: 1, c: 2 }] });
      await send();
      await send(0);
    });

    assert.deepEqual(
      messages.map(({ text }) => text),
      ['"hello"', '{"a":[{"c":2,"d":1}],"b":1}', "null", "0"],
    );
  });

  test("a binding's topic can be chosen per call, and PUT is POST", async () => {
    const [message] = await published(1, () =>
      call("PUT", "/v1.0/bindings/mqtt-out", {
        operation: "create",
        data: 1,
        metadata: { topic: "elsewhere" },
      }),
    );

    assert.deepEqual(message, { topic: "elsewhere", text: "1" });
  });

  test("what is published is wrapped by its content type", async () => {
    const publish = (body: string, type: string) =>
      call("POST", "/v1.0/publish/stream/pub", body, { "content-type": type });

    const messages = await published(4, async () => {
      assert.equal((await publish('{"a":1}', "application/json")).status, 204);
      await publish("plain", "text/plain");
      await publish("bytes", "application/octet-stream");
      await publish("{broken", "application/json");
    });

    const [json, text, bytes, broken] = messages.map((message) => JSON.parse(message.text));
    assert.deepEqual(json.data, { a: 1 });
    assert.deepEqual(
      [json.specversion, json.type, json.source, json.topic, json.pubsubname],
      ["1.0", "com.dapr.event.sent", "f-default", "pub", "stream"],
    );
    assert.match(json.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    assert.deepEqual([text.data, text.datacontenttype], ["plain", "text/plain"]);
    assert.equal(Buffer.from(bytes.data_base64, "base64").toString(), "bytes");
    assert.equal(broken.data, "{broken");
  });

  test("a CloudEvent is kept, overrides and a time to live are applied, raw payload stays raw", async () => {
    const event = { id: "mine", source: "here", type: "t", specversion: "1.0", data: 1 };
    const publish = (query: string, body: unknown, type: string) =>
      call("POST", `/v1.0/publish/stream/pub${query}`, body, { "content-type": type });

    const messages = await published(3, async () => {
      await publish("?metadata.ttlInSeconds=60", event, "application/cloudevents+json");
      await publish("?metadata.cloudevent.id=other", event, "application/json");
      await publish("?metadata.rawPayload=true", "raw bytes", "text/plain");
    });

    const kept = JSON.parse(messages[0]?.text ?? "");
    assert.deepEqual([kept.id, kept.source, kept.topic], ["mine", "here", "pub"]);
    assert.ok(Date.parse(kept.expiration) > Date.now());
    assert.equal(JSON.parse(messages[1]?.text ?? "").id, "other");
    assert.equal(messages[2]?.text, "raw bytes");
  });

  test("a topic may have slashes", async () => {
    const [message] = await published(1, () => call("POST", "/v1.0/publish/stream/a/b", {}));

    assert.equal(message?.topic, "a/b");
  });

  test("a topic that is too long is refused, and the next message goes out", async () => {
    const send = (topic: string) =>
      call("POST", "/v1.0/bindings/mqtt-out", { operation: "create", data: 1, metadata: { topic } });

    const refused = await send("t".repeat(70_000));
    const [message] = await published(1, () => send("out"));

    assert.deepEqual([refused.status, refused.body.errorCode], [500, "ERR_INVOKE_OUTPUT_BINDING"]);
    assert.equal(message?.text, "1");
  });

  test("pages of other sites and other host names are refused", async () => {
    const foreign = await new Promise<number | undefined>((resolve) => {
      request(`${origin}/v1.0/metadata`, { headers: { host: "evil.example:3500" } }, (res) =>
        resolve(res.resume().statusCode),
      ).end();
    });
    const crossSite = await call("GET", "/v1.0/metadata", undefined, { origin: "http://evil.example" }).catch(
      (err) => err,
    );

    assert.equal(foreign, 403);
    assert.ok(crossSite instanceof SyntaxError, "the refusal is text, not JSON");
  });

  test("the unchanged Dapr SDK client works against it", async () => {
    const client = new DaprClient({
      daprHost: "127.0.0.1",
      daprPort: String(runtime.port),
      communicationProtocol: CommunicationProtocolEnum.HTTP,
    });

    const messages = await published(2, async () => {
      await client.binding.send("mqtt-out", "create", { from: "sdk" });
      const result = await client.pubsub.publish("stream", "pub", { from: "sdk" });
      assert.equal(result.error, undefined);
    });
    await assert.rejects(client.binding.send("nobody", "create", {}), /500/);
    await client.stop();

    assert.equal(messages[0]?.text, '{"from":"sdk"}');
    assert.deepEqual(JSON.parse(messages[1]?.text ?? "").data, { from: "sdk" });
  });
});
