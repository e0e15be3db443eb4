/** What a sidecar says to an app and to its callers. The app is a node:http server that keeps what it is asked. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { CommunicationProtocolEnum, DaprClient } from "@dapr/dapr";

import { type AppCall, type AppReply, startApp } from "../support/app";
import { freePort } from "../support/mosquitto";
import { until } from "../support/wait";
import { startBrokers, withoutBrokers } from "./support/brokers";
import { appId, sidecars } from "./support/sidecars";

const deadline = 60_000;

for (const kind of sidecars.filter(({ appProtocol }) => appProtocol === "http")) {
  describe(`${kind.name} as a sidecar`, { skip: kind.skip || withoutBrokers }, () => {
    interface SetUp {
      subscriptions?: object[];
      answer?: (call: AppCall) => AppReply | undefined;
      topics?: string[];
      apiToken?: string;
      appToken?: string;
    }

    async function setUp(t: TestContext, options: SetUp = {}) {
      const { subscriptions = [], answer = () => ({}), topics = [], ...tokens } = options;
      const { components, outside } = await startBrokers(t, topics);
      const app = await startApp((call) => {
        if (call.url === "/dapr/subscribe") return { body: subscriptions };
        if (call.url === "/dapr/config") return { body: {} };
        if (call.method === "OPTIONS") return { status: call.url === "/in" ? 200 : 404 };
        return answer(call);
      });
      t.after(() => app.stop());
      const port = await freePort();
      const sidecar = await kind.start({ components, port, appPort: app.port, ...tokens });
      t.after(() => sidecar.stop());
      const call = async (
        method: string,
        path: string,
        body?: unknown,
        headers: Record<string, string> = {},
      ) => {
        const reply = await fetch(`http://127.0.0.1:${port}/v1.0/${path}`, {
          method,
          headers: { "content-type": "application/json", ...headers },
          ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
        });
        const text = await reply.text();
        return { status: reply.status, text, headers: reply.headers, code: codeOf(text) };
      };
      const posts = (path: string, count: number) =>
        until(() => app.callsTo("POST", path).length >= count, app, "call", `${count} × ${path}`, deadline);
      return { app, outside, call, posts, port };
    }

    const subscribe = (topic: string, more: object = {}) => [
      { pubsubname: "stream", topic, route: "/events", ...more },
    ];

    test("the app is asked for config, subscriptions and its bindings, with the token", async (t) => {
      const { app, call } = await setUp(t, { appToken: "app-secret" });

      const [config] = app.callsTo("GET", "/dapr/config");
      const [subscriptions] = app.callsTo("GET", "/dapr/subscribe");
      const metadata = JSON.parse((await call("GET", "metadata")).text);

      for (const asked of [config, subscriptions]) {
        assert.equal(asked?.headers["dapr-app-id"], appId);
        assert.equal(asked?.headers["dapr-api-token"], "app-secret");
      }
      assert.equal(app.callsTo("OPTIONS", "/in").length, 1);
      assert.equal(app.callsTo("OPTIONS", "/out").length, 0, "its direction says that it is not read");
      assert.equal(metadata.id, appId);
      assert.deepEqual(metadata.components.map(({ name }: { name: string }) => name).sort(), [
        "in",
        "out",
        "store",
        "stream",
        "vault",
      ]);
    });

    test("a message of a binding arrives as its bytes, called JSON", async (t) => {
      const { app, outside, posts } = await setUp(t, { appToken: "app-secret" });

      for (const body of ['{"a": 1}', "plain", "5"]) await outside.publish("in", body);
      await posts("/in", 3);

      const calls = app.callsTo("POST", "/in");
      assert.deepEqual(calls.map(({ body }) => body).sort(), ["5", "plain", '{"a": 1}']);
      for (const { headers } of calls) {
        assert.match(headers["content-type"] ?? "", /^application\/json/);
        assert.equal(headers["dapr-api-token"], "app-secret");
        assert.equal(headers.topic, "in");
      }
    });

    test("a message that the app refuses comes again, and no more when it is taken", async (t) => {
      let calls = 0;
      const { app, outside, posts } = await setUp(t, {
        answer: ({ url }) => ({ status: url === "/in" && ++calls < 3 ? 500 : 200 }),
      });

      await outside.publish("in", '{"n":1}');
      await posts("/in", 3);
      await outside.publish("in", '{"n":2}');
      await posts("/in", 4);

      assert.deepEqual(
        app.callsTo("POST", "/in").map(({ body }) => body),
        ['{"n":1}', '{"n":1}', '{"n":1}', '{"n":2}'],
      );
    });

    test("what is published arrives in an event", async (t) => {
      const { app, call, posts } = await setUp(t, { subscriptions: subscribe("orders/new") });

      const reply = await call("POST", "publish/stream/orders/new", { id: 7 });
      await posts("/events", 1);

      const [got] = app.callsTo("POST", "/events");
      const event = JSON.parse(got?.body ?? "");
      assert.equal(reply.status, 204);
      assert.match(got?.headers["content-type"] ?? "", /^application\/cloudevents\+json/);
      assert.equal(got?.headers.pubsubname, "stream");
      assert.deepEqual(
        [event.specversion, event.type, event.source, event.topic, event.pubsubname, event.datacontenttype],
        ["1.0", "com.dapr.event.sent", appId, "orders/new", "stream", "application/json"],
      );
      assert.deepEqual(event.data, { id: 7 });
      assert.match(event.id, /./);
    });

    for (const [word, first] of [
      ["RETRY", { body: { status: "RETRY" } }],
      ["a status of 500", { status: 500 }],
      ["an unknown word", { body: { status: "retry" } }],
    ] as const) {
      test(`an event answered with ${word} comes again`, async (t) => {
        const replies: AppReply[] = [first];
        const { app, call, posts } = await setUp(t, {
          subscriptions: subscribe("orders"),
          answer: () => replies.shift() ?? { body: { status: "SUCCESS" } },
        });

        await call("POST", "publish/stream/orders", 1);
        await posts("/events", 2);
        await call("POST", "publish/stream/orders", 2);
        await posts("/events", 3);

        assert.deepEqual(
          app.callsTo("POST", "/events").map(({ body }) => JSON.parse(body).data),
          [1, 1, 2],
        );
      });
    }

    test("an event that is dropped goes to the dead letters as it is, and does not come again", async (t) => {
      const { app, call, outside, posts } = await setUp(t, {
        subscriptions: subscribe("orders", { deadLetterTopic: "letters" }),
        answer: () => ({ body: { status: "DROP" } }),
        topics: ["letters"],
      });

      await call("POST", "publish/stream/orders", { id: 7 });
      await outside.count(1);
      await posts("/events", 1);

      const sent = JSON.parse(app.callsTo("POST", "/events")[0]?.body ?? "");
      const letter = JSON.parse(outside.received[0]?.text ?? "");
      assert.deepEqual([letter.id, letter.data, letter.topic], [sent.id, { id: 7 }, "orders"]);
      assert.equal(app.callsTo("POST", "/events").length, 1);
    });

    test("rules choose the path, in their order", async (t) => {
      const routes = { rules: [{ match: "event.data.n > 10", path: "/big" }], default: "/rest" };
      const { app, call, posts } = await setUp(t, {
        subscriptions: [{ pubsubname: "stream", topic: "orders", routes }],
      });

      await call("POST", "publish/stream/orders", { n: 11 });
      await call("POST", "publish/stream/orders", { n: 1 });
      await Promise.all([posts("/big", 1), posts("/rest", 1)]);

      assert.equal(JSON.parse(app.callsTo("POST", "/big")[0]?.body ?? "").data.n, 11);
    });

    test("a raw subscription gets the bytes in an event of its own", async (t) => {
      const { app, outside, posts } = await setUp(t, {
        subscriptions: subscribe("raw", { metadata: { rawPayload: "true" } }),
      });

      await outside.publish("raw", "plain");
      await posts("/events", 1);

      const event = JSON.parse(app.callsTo("POST", "/events")[0]?.body ?? "");
      assert.equal(Buffer.from(event.data_base64, "base64").toString(), "plain");
      assert.equal(event.datacontenttype, "application/octet-stream");
    });

    test("a bulk has an answer for every entry, and what has none comes again", async (t) => {
      const seen: unknown[] = [];
      let calls = 0;
      const { call } = await setUp(t, {
        subscriptions: subscribe("many", {
          bulkSubscribe: { enabled: true, maxMessagesCount: 10, maxAwaitDurationMs: 200 },
        }),
        answer: ({ url, body }) => {
          if (url !== "/events") return {};
          const { entries, pubsubname, topic, type } = JSON.parse(body);
          assert.deepEqual([pubsubname, topic, type], ["stream", "many", "com.dapr.event.sent.bulk"]);
          seen.push(...entries.map(({ event }: { event: { data: unknown } }) => event.data));
          const answered = ++calls === 1 ? entries.slice(1) : entries;
          return {
            body: {
              statuses: answered.map(({ entryId }: { entryId: string }) => ({ entryId, status: "SUCCESS" })),
            },
          };
        },
      });

      await Promise.all([1, 2, 3, 4].map((n) => call("POST", "publish/stream/many", n)));
      const end = Date.now() + deadline;
      while (seen.length < 5 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));

      assert.equal(seen.length, 5);
      assert.deepEqual([...new Set(seen)].sort(), [1, 2, 3, 4]);
    });

    test("a send to a binding reaches the broker as JSON, a text with its quotes", async (t) => {
      const { call, outside } = await setUp(t, { topics: ["out"] });
      const send = (data: unknown) => call("POST", "bindings/out", { operation: "create", data });

      const statuses = [await send({ b: 1, a: 2 }), await send("text"), await send(null)];
      await outside.count(3);

      assert.deepEqual(
        statuses.map(({ status }) => status),
        [204, 204, 204],
      );
      assert.deepEqual(
        outside.received.map(({ text }) => text),
        ['{"a":2,"b":1}', '"text"', "null"],
      );
    });

    test("what cannot be is refused with a status and a code", async (t) => {
      const { call } = await setUp(t);

      for (const [method, path, body, status, code] of [
        ["POST", "bindings/nobody", { operation: "create" }, 500, "ERR_INVOKE_OUTPUT_BINDING"],
        ["POST", "bindings/out", { operation: "nonsense" }, 500, "ERR_INVOKE_OUTPUT_BINDING"],
        ["POST", "bindings/out", "{", 400, "ERR_MALFORMED_REQUEST"],
        ["POST", "publish/nobody/orders", 1, 404, "ERR_PUBSUB_NOT_FOUND"],
        ["POST", "publish/stream/orders?metadata.rawPayload=maybe", 1, 400, "ERR_PUBSUB_REQUEST_METADATA"],
        ["GET", "state/nobody/k", undefined, 400, "ERR_STATE_STORE_NOT_FOUND"],
        ["POST", "state/store", { key: "k" }, 400, "ERR_MALFORMED_REQUEST"],
        ["GET", "secrets/nobody/k", undefined, 401, "ERR_SECRET_STORE_NOT_FOUND"],
        ["GET", "secrets/vault/nobody", undefined, 500, "ERR_SECRET_GET"],
        ["GET", "nonsense", undefined, 404, "ERR_DIRECT_INVOKE"],
      ] as const) {
        const reply = await call(method, path, body);

        assert.deepEqual([path, reply.status, reply.code], [path, status, code]);
      }
    });

    test("state has etags, a bulk and transactions; what is absent is 204", async (t) => {
      const { call } = await setUp(t);

      const saved = await call("POST", "state/store", [{ key: "k", value: { a: 1 } }]);
      const got = await call("GET", "state/store/k");
      const etag = got.headers.get("etag") ?? "";
      const again = await call("POST", "state/store", [{ key: "k", value: 2, etag }]);
      const stale = await call("POST", "state/store", [{ key: "k", value: 3, etag }]);
      const operations = [
        { operation: "upsert", request: { key: "m", value: "x" } },
        { operation: "delete", request: { key: "k" } },
      ];
      const transaction = await call("POST", "state/store/transaction", { operations });
      const bulk = JSON.parse((await call("POST", "state/store/bulk", { keys: ["k", "m"] })).text);
      const absent = await call("GET", "state/store/k");

      assert.deepEqual([saved.status, got.text, again.status], [204, '{"a":1}', 204]);
      assert.deepEqual([stale.status, stale.code], [409, "ERR_STATE_SAVE"]);
      assert.deepEqual([transaction.status, absent.status, absent.text], [204, 204, ""]);
      assert.equal(bulk.find(({ key }: { key: string }) => key === "m").data, "x");
    });

    test("secrets come under their names", async (t) => {
      const { call } = await setUp(t);

      assert.deepEqual(JSON.parse((await call("GET", "secrets/vault/key")).text), { key: "secret" });
      assert.deepEqual(JSON.parse((await call("GET", "secrets/vault/bulk")).text), {
        key: { key: "secret" },
        "db:user": { "db:user": "u" },
      });
    });

    test("a caller without the token is refused, but for the health", async (t) => {
      const { call } = await setUp(t, { apiToken: "api-secret" });

      const bare = await call("GET", "metadata");
      const wrong = await call("GET", "metadata", undefined, { "dapr-api-token": "other" });
      const good = await call("GET", "metadata", undefined, { "dapr-api-token": "api-secret" });
      const health = [await call("GET", "healthz"), await call("GET", "healthz/outbound")];

      assert.deepEqual([bare.status, wrong.status, good.status], [401, 401, 200]);
      assert.deepEqual(
        health.map(({ status }) => status),
        [204, 204],
      );
    });

    test("the unchanged client of the SDK publishes, sends, keeps state and reads secrets", async (t) => {
      const { port, app, posts, outside } = await setUp(t, {
        subscriptions: subscribe("orders"),
        topics: ["out"],
      });
      const client = new DaprClient({
        daprHost: "127.0.0.1",
        daprPort: String(port),
        communicationProtocol: CommunicationProtocolEnum.HTTP,
      });
      t.after(() => client.stop());

      await client.pubsub.publish("stream", "orders", { by: "sdk" });
      await client.binding.send("out", "create", { by: "sdk" });
      await client.state.save("store", [{ key: "k", value: "v" }]);
      await posts("/events", 1);
      await outside.count(1);

      assert.deepEqual(JSON.parse(app.callsTo("POST", "/events")[0]?.body ?? "").data, { by: "sdk" });
      assert.equal(await client.state.get("store", "k"), "v");
      assert.deepEqual(await client.secret.get("vault", "key"), { key: "secret" });
    });
  });
}

function codeOf(text: string): unknown {
  try {
    return JSON.parse(text).errorCode;
  } catch {
    return undefined;
  }
}
