/** `dev --redelivery daprd`: a message that the function does not take is given up by daprd's rules. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { type RuntimeOptions, startRuntime } from "../../src/local/runtime";
import { startApp } from "../support/app";
import { freePorts, startDev } from "../support/dev";
import { startMosquitto, withoutMosquitto } from "../support/mosquitto";
import { connectOutside } from "../support/mqtt-client";
import { startRecorder } from "../support/mqtt-recorder";
import { asyncFunctionYaml, makeProject } from "../support/project";

test("a function that throws is called once, and the next message is not held up", async (t) => {
  const project = makeProject(t, {
    "function.yaml": asyncFunctionYaml({ outputs: { "mqtt-out": "out" } }),
    "index.mjs": `export const relay = (ctx, data) => { if (data === "bad") throw new Error("bad"); return ctx.send(data); };`,
  });
  const dev = startDev(project, [...freePorts, "--redelivery=daprd"]);
  t.after(() => dev.stop("SIGKILL"));
  const ready = await dev.ready();
  const outside = await connectOutside(`mqtt://127.0.0.1:${new URL(ready.brokers[0]?.address ?? "").port}`, [
    "out",
  ]);
  t.after(() => outside.stop());

  await outside.publish("in", '"bad"');
  await dev.next("delivery");
  for (let n = 0; n < 120; n++) await outside.publish("in", String(n)); // more than may be in flight
  await outside.count(120);
  await dev.stop();

  assert.equal(dev.all("delivery").filter(({ data }) => data.outcome === "retry").length, 1);
  assert.equal(new Set(outside.received.map(({ text }) => text)).size, 120);
});

test("an unknown rule is an error that names both", async (t) => {
  const project = makeProject(t, {
    "function.yaml": asyncFunctionYaml({}),
    "index.mjs": "export const relay = 1;",
  });
  const dev = startDev(project, [...freePorts, "--redelivery=never"]);
  t.after(() => dev.stop("SIGKILL"));

  const { code } = await dev.exited;

  assert.equal(code, 1);
  assert.match(JSON.stringify(dev.events) + dev.stderr, /FF_OPTION_INVALID.*keep.*daprd/s);
});

const redelivery = { skip: withoutMosquitto };

async function setUp(
  t: TestContext,
  answer: () => { status?: number; body?: unknown },
  deadLetterTopic?: string,
) {
  const broker = await startMosquitto();
  t.after(() => broker.stop());
  const recorder = await startRecorder(broker.port);
  t.after(() => recorder.stop());
  const app = await startApp(({ url }) =>
    url === "/dapr/subscribe"
      ? {
          body: [
            {
              pubsubname: "stream",
              topic: "orders",
              route: "/events",
              ...(deadLetterTopic && { deadLetterTopic }),
            },
          ],
        }
      : url === "/events"
        ? answer()
        : undefined,
  );
  t.after(() => app.stop());
  const options: RuntimeOptions = {
    function: "f",
    appId: "f",
    components: [
      {
        name: "stream",
        type: "pubsub.mqtt3",
        version: "v1",
        metadata: { url: `tcp://127.0.0.1:${recorder.port}`, consumerID: "c" },
      },
    ],
    port: { port: 0, explicit: false, flag: "--dapr-port" },
    redelivery: "daprd",
    onNotice: () => undefined,
  };
  const start = async () => {
    const runtime = await startRuntime(options);
    t.after(() => runtime.stop());
    await runtime.attach(app.origin);
    return runtime;
  };
  const outside = await connectOutside(broker.url, ["letters"]);
  t.after(() => outside.stop());
  return { app, recorder, outside, runtime: await start(), start };
}

test(
  "an event that is not taken stays unacknowledged, and comes again after a connection",
  redelivery,
  async (t) => {
    const replies: { status?: number; body?: unknown }[] = [{ status: 500 }];
    const { app, outside, recorder } = await setUp(
      t,
      () => replies.shift() ?? { body: { status: "SUCCESS" } },
    );

    await outside.publish("orders", '{"n":1}');
    await app.count("POST", "/events", 1);
    await outside.publish("orders", '{"n":2}');
    await app.count("POST", "/events", 2);
    recorder.cut();
    await app.count("POST", "/events", 3);

    assert.deepEqual(
      app.callsTo("POST", "/events").map(({ body }) => body),
      ['{"n":1}', '{"n":2}', '{"n":1}'],
    );
  },
);

for (const [what, reply] of [
  ["refused", { body: { status: "RETRY" } }],
  ["answered 500", { status: 500 }],
  ["answered 404", { status: 404 }],
] as const) {
  test(`an event that is ${what} goes to the dead letters, once`, redelivery, async (t) => {
    const { app, outside } = await setUp(t, () => reply, "letters");

    await outside.publish("orders", '{"n":1}');
    await outside.count(1);
    await outside.publish("orders", '{"n":2}');
    await outside.count(2);

    assert.deepEqual(
      outside.received.map(({ text }) => text),
      ['{"n":1}', '{"n":2}'],
    );
    assert.equal(app.callsTo("POST", "/events").length, 2);
  });
}

test("404 without dead letters is the end of an event", redelivery, async (t) => {
  const { app, outside, recorder } = await setUp(t, () => ({ status: 404 }));

  await outside.publish("orders", '{"n":1}');
  await app.count("POST", "/events", 1);
  while (recorder.sent("puback").length === 0) await new Promise((resolve) => setTimeout(resolve, 10));

  assert.equal(app.callsTo("POST", "/events").length, 1);
});

test("an event that finds no app is not waited for", redelivery, async (t) => {
  const { app, outside, runtime } = await setUp(t, () => ({}), "letters");
  runtime.detach();

  await outside.publish("orders", '{"n":1}');
  await outside.count(1);

  assert.equal(app.callsTo("POST", "/events").length, 0);
});
