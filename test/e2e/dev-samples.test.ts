/** The two samples, as a user runs them: with the embedded broker, and with the broker their CR names. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { freePorts, startDev } from "../support/dev";
import { startMosquitto, withoutMosquitto } from "../support/mosquitto";
import { connectOutside } from "../support/mqtt-client";
import { withDeadline } from "../support/wait";

const samples = join(__dirname, "../../samples");

/** mosquitto_sub and mosquitto_pub: a client that shares no code with us. */
async function throughMosquittoTools(
  t: TestContext,
  url: URL,
  send: string,
  receive: string,
  payload: string,
): Promise<string> {
  const server = ["-h", url.hostname, "-p", url.port, "-u", "admin", "-P", "public"];
  const subscriber = spawn(
    "stdbuf",
    ["-oL", "mosquitto_sub", ...server, "-t", receive, "-C", "1", "-q", "1", "-d"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  t.after(() => subscriber.kill());
  let output = "";
  const subscribed = new Promise<void>((resolve) => {
    subscriber.stdout.on("data", (chunk) => {
      output += chunk;
      if (output.includes("SUBACK")) resolve();
    });
  });
  const closed = once(subscriber, "close");
  await withDeadline(subscribed, "mosquitto_sub is subscribed");
  const publisher = spawn("mosquitto_pub", [...server, "-t", send, "-m", payload, "-q", "1"], {
    stdio: "inherit",
  });
  assert.deepEqual(await once(publisher, "close"), [0, null]);
  await withDeadline(closed, `a message on ${receive}`);
  return output.split("\n").find((line) => line.startsWith("{")) ?? "";
}

const stories = [
  {
    sample: "mqtt-bindings",
    send: "in",
    receive: "out",
    trigger: "binding:mqtt-in",
    check: (text: string) => assert.equal(text, '{"msg":"hello"}'),
  },
  {
    sample: "mqtt-pubsub",
    send: "sub",
    receive: "pub",
    trigger: "topic:mqtt-pubsub/sub",
    check: (text: string) => {
      const event = JSON.parse(text);
      assert.deepEqual(event.data, { msg: "hello" });
      assert.equal(event.specversion, "1.0");
      assert.equal(event.topic, "pub");
    },
  },
];

for (const { sample, send, receive, trigger, check } of stories) {
  test(`${sample} with the embedded broker: a message goes in and comes out`, {
    skip: withoutMosquitto,
  }, async (t) => {
    const dev = startDev(join(samples, sample), ["-f", "function.yaml", ...freePorts]);
    t.after(() => dev.stop());
    const { brokers, functions, gateway } = await dev.ready();

    const text = await throughMosquittoTools(
      t,
      new URL(brokers[0]?.address ?? ""),
      send,
      receive,
      '{"msg":"hello"}',
    );
    const invocation = await dev.next("invocation");
    const log = await dev.next("log", ({ data }) => data.text.startsWith("Data received"));
    const code = await dev.stop();

    check(text);
    assert.equal(functions[0]?.url, `${gateway}/${functions[0]?.name}`);
    assert.deepEqual([functions[0]?.signature, brokers[0]?.mode], ["openfunction", "embedded"]);
    assert.deepEqual(
      [invocation.data.trigger, invocation.data.outcome, invocation.data.status],
      [trigger, "ack", 200],
    );
    assert.equal(log.data.text, "Data received: { msg: 'hello' }");
    assert.equal(dev.all("send")[0]?.data.ok, true);
    assert.equal(dev.all("delivery")[0]?.data.outcome, "ack");
    assert.equal(dev.events.at(-1)?.event, "stopped");
    assert.equal(code, 0);
    assert.deepEqual(dev.stray, []);
  });

  test(`${sample} with the declared broker: a message goes in and comes out`, {
    skip: withoutMosquitto,
  }, async (t) => {
    const broker = await startMosquitto({ credentials: { user: "admin", password: "public" } });
    t.after(() => broker.stop());
    const folder = copyWithBroker(t, sample, broker.port);
    const dev = startDev(folder, ["-f", "function.yaml", "--brokers", "declared", ...freePorts]);
    t.after(() => dev.stop());
    const { brokers } = await dev.ready();

    const text = await throughMosquittoTools(
      t,
      new URL(`mqtt://127.0.0.1:${broker.port}`),
      send,
      receive,
      '{"msg":"hello"}',
    );
    const code = await dev.stop();

    check(text);
    assert.deepEqual(
      [brokers[0]?.mode, brokers[0]?.address],
      ["declared", `tcp://admin:***@127.0.0.1:${broker.port}`],
    );
    assert.equal(code, 0);
  });
}

test("any MQTT 3.1.1 client is welcome, a version 5 client is refused and told about", async (t) => {
  const dev = startDev(join(samples, "mqtt-bindings"), freePorts);
  t.after(() => dev.stop());
  const { brokers } = await dev.ready();
  const url = `mqtt://127.0.0.1:${new URL(brokers[0]?.address ?? "").port}`;

  const anonymous = await connectOutside(url);
  const known = await connectOutside(url, [], { username: "admin", password: "public" });
  await assert.rejects(
    connectOutside(url, [], { protocolVersion: 5, clientId: "modern", reconnectPeriod: 0 }),
  );
  const refused = await dev.next("error");
  await anonymous.stop();
  await known.stop();

  assert.equal(refused.data.code, "FF_BROKER_PROTOCOL");
  assert.match(refused.data.message, /"modern".*3\.1\.1/);
});

// Only the address differs: the sample's CR names a host that exists in its cluster.
function copyWithBroker(t: TestContext, sample: string, port: number): string {
  const folder = mkdtempSync(join(tmpdir(), "sample-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(samples, sample), folder, { recursive: true });
  const file = join(folder, "function.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll("emqx:1883", `127.0.0.1:${port}`));
  return folder;
}
