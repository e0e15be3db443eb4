/** The local runtime between a real broker and a real app, judged by what is said on the wire. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { startBroker } from "../../src/local/broker";
import type { ComponentSpec } from "../../src/local/components/component";
import { type RuntimeOptions, startRuntime } from "../../src/local/runtime";
import { type AppCall, type AppReply, startApp } from "../support/app";
import { freePort, type Mosquitto, startMosquitto, withoutMosquitto } from "../support/mosquitto";
import { connectOutside } from "../support/mqtt-client";
import { type Recorder, startRecorder } from "../support/mqtt-recorder";
import { deferred, until } from "../support/wait";

const backoff = { initial: 10, factor: 2, max: 50 };

function binding(
  name: string,
  topic: string,
  port: number,
  metadata: Record<string, string> = {},
): ComponentSpec {
  const url = `tcp://127.0.0.1:${port}`;
  return {
    name,
    type: "bindings.mqtt",
    version: "v1",
    metadata: { consumerID: "{uuid}", url, topic, ...metadata },
  };
}

function pubsub(name: string, port: number, metadata: Record<string, string> = {}): ComponentSpec {
  const url = `tcp://127.0.0.1:${port}`;
  return { name, type: "pubsub.mqtt3", version: "v1", metadata: { consumerID: "{uuid}", url, ...metadata } };
}

const subscribeTo = (topic: string) => [{ pubsubname: "stream", topic, route: "/events" }];

describe("the local runtime", { skip: withoutMosquitto }, () => {
  let broker: Mosquitto;
  let recorder: Recorder;
  const open: { stop(): Promise<void> }[] = [];

  before(async () => {
    broker = await startMosquitto({ persistent: true });
  });
  after(() => broker.stop());

  async function setUp(
    components: (port: number) => ComponentSpec[],
    answer: (call: AppCall) => AppReply | undefined | Promise<AppReply | undefined>,
    options: Partial<RuntimeOptions> = {},
  ) {
    recorder = await startRecorder(broker.port);
    const app = await startApp(answer);
    const runtime = await startRuntime({
      function: "f",
      appId: "f-default",
      components: components(recorder.port),
      port: { port: 0, explicit: false, flag: "--dapr-port" },
      onNotice: () => undefined,
      backoff,
      ...options,
    });
    open.push(runtime, app, recorder);
    await runtime.attach(app.origin);
    return { app, runtime, recorder };
  }

  async function tearDown() {
    for (const one of open.splice(0)) await one.stop();
  }

  async function subscribed(count = 1) {
    const subacks = () =>
      recorder.packets.filter(({ from, packet }) => from === "broker" && packet.cmd === "suback").length;
    await until(() => subacks() >= count, recorder, "packet", "the subscription");
  }

  async function publishFromOutside(topic: string, payloads: string[]) {
    const outside = await connectOutside(broker.url);
    for (const payload of payloads) await outside.publish(topic, payload);
    await outside.stop();
  }

  test("a binding's message is acknowledged once, after the function has taken it at the fourth call", async () => {
    let calls = 0;
    const acksAtCall: number[] = [];
    const { app } = await setUp(
      (port) => [binding("mqtt-in", "throws", port)],
      ({ method, url }) => {
        if (method === "OPTIONS") return { status: url === "/mqtt-in" ? 200 : 404 };
        if (url !== "/mqtt-in") return undefined;
        acksAtCall.push(recorder.sent("puback").length);
        return { status: ++calls < 4 ? 500 : 200 };
      },
    );
    await subscribed();

    await publishFromOutside("throws", ['{"msg":"hello"}']);
    await until(() => recorder.sent("puback").length > 0, recorder, "packet", "the acknowledgement");
    await tearDown();

    assert.deepEqual(
      app.callsTo("POST", "/mqtt-in").map((call) => call.body),
      Array(4).fill('{"msg":"hello"}'),
    );
    assert.deepEqual(acksAtCall, [0, 0, 0, 0]);
    assert.equal(recorder.sent("puback").length, 1);
  });

  test("a topic's message is acknowledged once, after RETRY, a 500 and a SUCCESS", async () => {
    const replies: AppReply[] = [
      { body: { status: "RETRY" } },
      { status: 500 },
      { body: { status: "SUCCESS" } },
    ];
    const { app } = await setUp(
      (port) => [pubsub("stream", port)],
      ({ url }) =>
        url === "/dapr/subscribe"
          ? { body: subscribeTo("sub") }
          : url === "/events"
            ? replies.shift()
            : undefined,
    );
    await subscribed();

    await publishFromOutside("sub", ['{"a":1}']);
    await until(() => recorder.sent("puback").length > 0, recorder, "packet", "the acknowledgement");
    await tearDown();

    assert.equal(app.callsTo("POST", "/events").length, 3);
    assert.equal(recorder.sent("puback").length, 1);
  });

  test("DROP acknowledges and is not repeated; with a dead letter topic the event goes there", async () => {
    const letters = await connectOutside(broker.url, ["letters"]);
    const { app } = await setUp(
      (port) => [pubsub("stream", port)],
      ({ url }) => {
        if (url === "/dapr/subscribe")
          return { body: [{ ...subscribeTo("drops")[0], deadLetterTopic: "letters" }] };
        return url === "/events" ? { body: { status: "DROP" } } : undefined;
      },
    );
    await subscribed();

    await publishFromOutside("drops", ['{"specversion":"1.0","id":"x","type":"t","source":"s","data":1}']);
    await letters.count(1);
    await until(() => recorder.sent("puback").length > 0, recorder, "packet", "the acknowledgement");
    await tearDown();
    await letters.stop();

    assert.equal(app.callsTo("POST", "/events").length, 1);
    assert.equal(JSON.parse(letters.received[0]?.text ?? "").id, "x");
  });

  test("a bulk subscription gathers messages, and each is done by its own status", async () => {
    const letters = await connectOutside(broker.url, ["bulk-letters"]);
    const event = (id: string) => JSON.stringify({ specversion: "1.0", id, type: "t", source: "s", data: 1 });
    interface Entry {
      entryId: string;
      event: { id: string } | string;
      contentType: string;
    }
    const entries: Entry[] = [];
    const bulkSubscribe = { enabled: true, maxMessagesCount: 2, maxAwaitDurationMs: 600_000 };
    /** Undefined: the entry is left out, which counts as RETRY. */
    const wordOf = ({ event: given }: Entry) => {
      if (typeof given === "string") return "SUCCESS";
      const isFirst = entries.filter((one) => (one.event as { id?: string }).id === given.id).length === 1;
      if (given.id === "never") return "DROP";
      if (given.id === "left-out" && isFirst) return undefined;
      return given.id === "again" && isFirst ? "RETRY" : "SUCCESS";
    };
    const { app } = await setUp(
      (port) => [pubsub("stream", port)],
      ({ url, body }) => {
        if (url === "/dapr/subscribe")
          return { body: [{ ...subscribeTo("bulky")[0], deadLetterTopic: "bulk-letters", bulkSubscribe }] };
        if (url !== "/events") return undefined;
        const batch: Entry[] = JSON.parse(body).entries;
        entries.push(...batch);
        const statuses = batch.map((one) => ({ entryId: one.entryId, status: wordOf(one) }));
        return { body: { statuses: statuses.filter(({ status }) => status !== undefined) } };
      },
    );
    await subscribed();

    await publishFromOutside("bulky", [event("again"), event("never"), "no JSON", event("left-out")]);
    await letters.count(1);
    await until(() => recorder.sent("puback").length === 4, recorder, "packet", "all acknowledgements");
    await tearDown();
    await letters.stop();

    assert.deepEqual(
      entries.map((one) => [
        typeof one.event === "string" ? Buffer.from(one.event, "base64").toString() : one.event.id,
        one.contentType,
      ]),
      [
        ["again", "application/cloudevents+json"],
        ["never", "application/cloudevents+json"],
        ["no JSON", "application/octet-stream"],
        ["left-out", "application/cloudevents+json"],
        ...entries
          .slice(4)
          .map(({ event: given }) => [(given as { id: string }).id, "application/cloudevents+json"]),
      ],
    );
    assert.deepEqual(
      entries
        .slice(4)
        .map((one) => (one.event as { id: string }).id)
        .sort(),
      ["again", "left-out"],
    );
    const bulks = app.callsTo("POST", "/events").map(({ body }) => JSON.parse(body));
    assert.deepEqual(
      bulks.map(({ entries: batch }) => batch.length),
      [2, 2, 2],
    );
    const { topic, pubsubname, type } = bulks[0];
    assert.deepEqual([topic, pubsubname, type], ["bulky", "stream", "com.dapr.event.sent.bulk"]);
    assert.equal(JSON.parse(letters.received[0]?.text ?? "").id, "never");
  });

  test("a bulk that is answered by an error, or by no list, is tried again whole; a raw one holds the bytes", async () => {
    const answers: AppReply[] = [{ status: 500 }, { body: "odd" }, { status: 404 }];
    const { app } = await setUp(
      (port) => [pubsub("stream", port)],
      ({ url, body }) => {
        const bulkSubscribe = { enabled: true, maxAwaitDurationMs: 10 };
        if (url === "/dapr/subscribe")
          return {
            body: [{ ...subscribeTo("rawbulk")[0], metadata: { rawPayload: "true" }, bulkSubscribe }],
          };
        if (url !== "/events") return undefined;
        const [{ entryId }] = JSON.parse(body).entries;
        return answers.shift() ?? { body: { statuses: [{ entryId, status: "SUCCESS" }] } };
      },
    );
    await subscribed();

    await publishFromOutside("rawbulk", ['{"a":1}']);
    await until(() => recorder.sent("puback").length === 1, recorder, "packet", "the acknowledgement");
    await tearDown();

    const bodies = app.callsTo("POST", "/events").map(({ body }) => JSON.parse(body).entries[0]);
    assert.equal(bodies.length, 4);
    for (const { event, contentType } of bodies) {
      assert.equal(Buffer.from(event, "base64").toString(), '{"a":1}');
      assert.equal(contentType, "application/octet-stream");
    }
  });

  test("rules choose the path of an event, and what no path is meant by goes to the dead letter topic", async () => {
    const letters = await connectOutside(broker.url, ["unrouted"]);
    const event = (id: string, more: object) =>
      JSON.stringify({ specversion: "1.0", id, type: "t", source: "s", ...more });
    const rules = [
      { match: 'event.type == "created" && event.data.n > 1', path: "large" },
      { match: "event.type == ", path: "/broken" },
      { match: 'event.type == "created"', path: "/created" },
    ];
    const withDefault = { ...subscribeTo("routed")[0], routes: { rules: rules, default: "/rest" } };
    const routes = { rules: rules.slice(0, 1) };
    const without = { pubsubname: "stream", topic: "partly", routes, deadLetterTopic: "unrouted" };
    const { app, runtime } = await setUp(
      (port) => [pubsub("stream", port)],
      ({ url }) => (url === "/dapr/subscribe" ? { body: [withDefault, without] } : { status: 200 }),
    );
    await subscribed(2);

    await publishFromOutside("routed", [
      event("1", { type: "created", data: { n: 2 } }),
      event("2", { type: "created", data: { n: 1 } }),
      event("3", { type: "created" }),
      event("4", {}),
      "no JSON",
    ]);
    await publishFromOutside("partly", [event("5", { type: "created", data: { n: 3 } }), event("6", {})]);
    await letters.count(1);
    await until(() => recorder.sent("puback").length === 7, recorder, "packet", "all acknowledgements");
    const asked = await fetch(`http://127.0.0.1:${runtime.port}/v1.0/metadata`);
    const { subscriptions } = (await asked.json()) as { subscriptions: { rules: { path: string }[] }[] };
    await tearDown();
    await letters.stop();

    const got = app.calls
      .filter(({ method }) => method === "POST")
      .map(({ url, body }) => `${url} ${body.startsWith("{") ? JSON.parse(body).id : body}`)
      .sort();
    assert.deepEqual(got, ["/created 2", "/created 3", "/large 1", "/large 5", "/rest 4", "/rest no JSON"]);
    assert.equal(JSON.parse(letters.received[0]?.text ?? "").id, "6");
    assert.deepEqual(
      subscriptions[0]?.rules.map(({ path }) => path),
      ["/large", "/broken", "/created", "/rest"],
    );
  });

  test("events of different paths are in different bulks", async () => {
    const event = (id: string, type: string) => JSON.stringify({ specversion: "1.0", id, type, source: "s" });
    const bulkSubscribe = { enabled: true, maxMessagesCount: 2, maxAwaitDurationMs: 600_000 };
    const routes = { rules: [{ match: 'event.type == "a"', path: "/a" }], default: "/b" };
    const { app } = await setUp(
      (port) => [pubsub("stream", port)],
      ({ url, body }) => {
        if (url === "/dapr/subscribe")
          return { body: [{ pubsubname: "stream", topic: "split", routes, bulkSubscribe }] };
        const entries: { entryId: string }[] = body ? JSON.parse(body).entries : [];
        return { body: { statuses: entries.map(({ entryId }) => ({ entryId, status: "SUCCESS" })) } };
      },
    );
    await subscribed();

    await publishFromOutside("split", [event("1", "a"), event("2", "b"), event("3", "a"), event("4", "b")]);
    await until(() => recorder.sent("puback").length === 4, recorder, "packet", "all acknowledgements");
    await tearDown();

    const idsOf = (path: string) =>
      app
        .callsTo("POST", path)
        .map(({ body }) => JSON.parse(body).entries.map((one: { event: { id: string } }) => one.event.id));
    assert.deepEqual([idsOf("/a"), idsOf("/b")], [[["1", "3"]], [["2", "4"]]]);
  });

  test("a binding is asked for at its route, or not at all when its direction is stated", async () => {
    const { app, runtime } = await setUp(
      (port) => [
        binding("routed", "way-1", port, { route: "in/routed" }),
        binding("stated", "way-2", port, { direction: "INPUT, output" }),
        binding("only-in", "way-3", port, { direction: "input" }),
        binding("only-out", "way-4", port, { direction: "output" }),
      ],
      ({ url }) => ({ status: url === "/dapr/subscribe" ? 404 : 200 }),
    );
    await subscribed(3);

    for (const topic of ["way-1", "way-2", "way-3"]) await publishFromOutside(topic, ["1"]);
    await until(() => recorder.sent("puback").length === 3, recorder, "packet", "three acknowledgements");
    const invoke = async (name: string) => {
      const body = JSON.stringify({ operation: "create", data: 1 });
      const reply = await fetch(`http://127.0.0.1:${runtime.port}/v1.0/bindings/${name}`, {
        method: "POST",
        body,
      });
      return reply.status;
    };
    const sent = [await invoke("stated"), await invoke("only-in"), await invoke("only-out")];
    await tearDown();

    assert.deepEqual(
      app.calls.filter(({ method }) => method === "OPTIONS").map(({ url }) => url),
      ["/in/routed"],
    );
    assert.deepEqual(
      [...new Set(app.calls.filter(({ method }) => method === "POST").map(({ url }) => url))].sort(),
      ["/in/routed", "/only-in", "/stated"],
    );
    assert.deepEqual(sent, [204, 500, 204]);
  });

  test("twenty messages are in flight at once, and each is acknowledged when it is done", async () => {
    const gates = Array.from({ length: 20 }, () => deferred());
    const { app } = await setUp(
      (port) => [binding("mqtt-in", "many", port)],
      async ({ method, body }) => {
        if (method === "OPTIONS") return { status: 200 };
        if (method === "POST") await gates[Number(body)]?.promise;
        return { status: 200 };
      },
    );
    await subscribed();

    await publishFromOutside(
      "many",
      Array.from({ length: 20 }, (_, i) => String(i)),
    );
    await app.count("POST", "/mqtt-in", 20);
    assert.equal(recorder.sent("puback").length, 0);

    gates[13]?.resolve();
    await until(() => recorder.sent("puback").length === 1, recorder, "packet", "the first acknowledgement");
    const ids = recorder.packets.flatMap(({ from, packet }) =>
      from === "broker" && packet.cmd === "publish"
        ? [{ id: packet.messageId, text: String(packet.payload) }]
        : [],
    );
    assert.equal(recorder.sent("puback")[0]?.messageId, ids.find(({ text }) => text === "13")?.id);
    for (const gate of gates) gate.resolve();
    await until(() => recorder.sent("puback").length === 20, recorder, "packet", "all acknowledgements");
    await tearDown();
  });

  test("a message that keeps failing does not hold up the others", async () => {
    const { app } = await setUp(
      (port) => [binding("mqtt-in", "poison", port)],
      ({ method, body }) => ({ status: method === "OPTIONS" || body !== '"bad"' ? 200 : 500 }),
    );
    await subscribed();

    await publishFromOutside("poison", ['"bad"', ...Array.from({ length: 50 }, (_, i) => `${i}`)]);
    await until(() => recorder.sent("puback").length === 50, recorder, "packet", "50 acknowledgements");
    const attempts = () => app.callsTo("POST", "/mqtt-in").filter(({ body }) => body === '"bad"').length;
    await until(() => attempts() > 1, app, "call", "another attempt");
    await tearDown();

    assert.ok(app.callsTo("POST", "/mqtt-in").filter(({ body }) => body === '"bad"').length > 1);
  });

  for (const qos of ["1", "2"]) {
    test(`no more than maxInFlight messages are handled at once, and all of 300 arrive (quality of service ${qos})`, async () => {
      const embedded = await startBroker({
        port: { port: 0, explicit: false, flag: "--mqtt-port" },
        onNotice: () => undefined,
      });
      const allBusy = deferred();
      let running = 0;
      let most = 0;
      const { app } = await setUp(
        () => [pubsub("stream", embedded.port, { qos, maxInFlight: "5" })],
        async ({ url }) => {
          if (url === "/dapr/subscribe") return { body: subscribeTo("flood") };
          if (url !== "/events") return undefined;
          most = Math.max(most, ++running);
          if (running === 5) allBusy.resolve();
          await allBusy.promise;
          running--;
          return { status: 200 };
        },
      );
      const outside = await connectOutside(embedded.url);

      await Promise.all(
        Array.from({ length: 300 }, (_, i) => outside.publish("flood", String(i), Number(qos) as 1 | 2)),
      );
      await app.count("POST", "/events", 300);
      await outside.stop();
      await tearDown();
      await embedded.stop();

      const bodies = app.callsTo("POST", "/events").map(({ body }) => body);
      assert.equal(new Set(bodies).size, 300);
      assert.equal(bodies.length, 300);
      assert.equal(most, 5);
    });
  }

  test("quality of service 2 is handed over once, after the function is done", async () => {
    let calls = 0;
    await setUp(
      (port) => [pubsub("stream", port, { qos: "2" })],
      ({ url }) =>
        url === "/dapr/subscribe"
          ? { body: subscribeTo("exact") }
          : url === "/events"
            ? { status: ++calls < 3 ? 500 : 200 }
            : undefined,
    );
    await subscribed();
    const outside = await connectOutside(broker.url);

    await outside.publish("exact", "{}", 2);
    await until(() => recorder.sent("pubcomp").length > 0, recorder, "packet", "the end of the handshake");
    await outside.stop();
    await tearDown();

    assert.equal(calls, 3);
    assert.equal(recorder.sent("pubrec").length, 1);
  });

  test("a broken connection in the middle neither loses nor doubles a message that is being handled", async () => {
    const gate = deferred();
    const { app } = await setUp(
      (port) => [binding("mqtt-in", "cut", port, { consumerID: "steady-cut" })],
      async ({ method }) => {
        if (method === "POST") await gate.promise;
        return { status: 200 };
      },
    );
    await subscribed();
    await publishFromOutside("cut", ["1"]);
    await app.count("POST", "/mqtt-in", 1);

    recorder.cut();
    const repeated = () =>
      recorder.packets.some(
        ({ from, packet }) => from === "broker" && packet.cmd === "publish" && packet.dup,
      );
    await until(repeated, recorder, "packet", "the repeated message");
    gate.resolve();
    await until(() => recorder.sent("puback").length > 0, recorder, "packet", "the acknowledgement");
    await tearDown();

    assert.equal(app.callsTo("POST", "/mqtt-in").length, 1);
  });

  test("what was not acknowledged when the runtime stopped is delivered to the next one", async () => {
    const components = (port: number) => [pubsub("stream", port, { consumerID: "steady-restart" })];
    const isSubscribe = ({ url }: AppCall) => url === "/dapr/subscribe";
    const first = await setUp(components, (call) =>
      isSubscribe(call) ? { body: subscribeTo("kept") } : { status: 500 },
    );
    await subscribed();
    await publishFromOutside("kept", ['{"n":1}']);
    await first.app.count("POST", "/events", 1);
    await tearDown();
    await publishFromOutside("kept", ['{"n":2}']); // nobody is there

    const second = await setUp(components, (call) =>
      isSubscribe(call) ? { body: subscribeTo("kept") } : { status: 200 },
    );
    await second.app.count("POST", "/events", 2);
    await until(() => recorder.sent("puback").length === 2, recorder, "packet", "both acknowledgements");
    await tearDown();

    assert.deepEqual(
      second.app
        .callsTo("POST", "/events")
        .map(({ body }) => body)
        .sort(),
      ['{"n":1}', '{"n":2}'],
    );
  });

  test("messages wait while the app is away, and go to the one that comes", async () => {
    const { app, runtime } = await setUp(
      (port) => [binding("mqtt-in", "away", port)],
      () => ({ status: 200 }),
    );
    await subscribed();

    runtime.detach();
    await publishFromOutside("away", ["1", "2"]);
    assert.equal(app.callsTo("POST", "/mqtt-in").length, 0);
    const next = await startApp(() => ({ status: 200 }));
    open.push(next);
    await runtime.attach(next.origin);
    await next.count("POST", "/mqtt-in", 2);
    await until(() => recorder.sent("puback").length === 2, recorder, "packet", "both acknowledgements");
    await tearDown();

    assert.equal(app.callsTo("POST", "/mqtt-in").length, 0);
  });

  test("a broker that is away is said once, and connected to when it comes back", async () => {
    const notices: string[] = [];
    const port = await freePort();
    const app = await startApp(() => ({ status: 200 }));
    const seen = await startRecorder(port); // never used: only its emitter is needed below
    const runtime = await startRuntime({
      function: "f",
      appId: "f-default",
      components: [binding("mqtt-in", "late", port)],
      port: { port: 0, explicit: false, flag: "--dapr-port" },
      onNotice: (notice) => {
        notices.push("recovered" in notice ? "recovered" : notice.code);
        seen.emit("notice");
      },
      backoff,
    });
    await runtime.attach(app.origin);
    await until(() => notices.length > 0, seen, "notice", "the notice");

    const proxy = await startRecorder(broker.port, port);
    await until(() => notices.includes("recovered"), seen, "notice", "the recovery");
    await runtime.stop();
    for (const one of [proxy, seen, app]) await one.stop();

    assert.deepEqual(notices, ["FF_BROKER_UNREACHABLE", "recovered"]);
  });

  test("wrong credentials are said with component and address, the password masked", async () => {
    const guarded = await startMosquitto({ credentials: { user: "admin", password: "public" } });
    const said = deferred<string>();
    const url = `tcp://admin:secret@127.0.0.1:${guarded.port}`;
    const { runtime } = await setUp(
      () => [binding("mqtt-in", "in", guarded.port, { url })],
      () => ({ status: 200 }),
      { onNotice: (notice) => said.resolve("recovered" in notice ? "" : `${notice.code} ${notice.message}`) },
    );

    const notice = await said.promise;
    await tearDown();
    await guarded.stop();

    assert.match(notice, /^FF_BROKER_REFUSED .*mqtt-in.*not authorized/);
    assert.match(notice, /admin:\*\*\*@127\.0\.0\.1/);
    assert.doesNotMatch(notice, /secret/);
    assert.equal(runtime.components.get("mqtt-in")?.address?.includes("secret"), false);
  });

  test("retained, wildcard and shared subscriptions reach the app with their own topic", async () => {
    const { app } = await setUp(
      (port) => [pubsub("stream", port)],
      ({ url }) => (url === "/dapr/subscribe" ? { body: subscribeTo("rooms/+/heat") } : { status: 200 }),
    );
    await subscribed();

    await publishFromOutside("rooms/4/heat", [
      '{"specversion":"1.0","id":"1","source":"s","type":"t","topic":"rooms/4/heat","data":21}',
    ]);
    await publishFromOutside("rooms/4/light", ["{}"]);
    await app.count("POST", "/events", 1);
    await tearDown();

    const [call] = app.callsTo("POST", "/events");
    assert.equal(call?.headers.pubsubname, "stream");
    assert.equal(call?.headers["content-type"], "application/cloudevents+json");
    assert.equal(JSON.parse(call?.body ?? "").topic, "rooms/4/heat");
    assert.equal(app.callsTo("POST", "/events").length, 1);
  });
});
