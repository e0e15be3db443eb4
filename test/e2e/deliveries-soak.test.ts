/**
 * Every message of a real broker reaches the receiver, whatever is killed meanwhile; some reach it twice, and how many
 * is printed. DELIVERIES_COUNT says how many messages there are.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { connectAsync } from "mqtt";

import { type RuntimeOptions, startRuntime } from "../../src/local/runtime";
import { type Dev, freePorts, startDev } from "../support/dev";
import { Random } from "../support/fuzz/random";
import { freePort, startMosquitto, withoutMosquitto } from "../support/mosquitto";
import { asyncFunctionYaml, makeProject } from "../support/project";
import { deferred, until, withDeadline } from "../support/wait";
import { startFramework } from "./support/framework";

const count = Number(process.env.DELIVERIES_COUNT ?? 300);
const restartsAtMost = count > 1000 ? 5 : 2;
const deadline = 60_000 + count * 60; // ms: what a kill interrupts waits for up to 30 s

const relay = "export const relay = (ctx, data) => ctx.send(data);";

interface Traffic {
  broker: Awaited<ReturnType<typeof startMosquitto>>;
  /** Publishes ids until all are out; the broker has them then. `pace`: ms over which they are spread. */
  send(pace: number): Promise<void>;
  /** Resolves when every id has arrived, and says how often it did. */
  arrived: Promise<void>;
  readonly received: Map<number, number>;
  hasAll(): boolean;
}

async function startTraffic(t: TestContext): Promise<Traffic> {
  const broker = await startMosquitto({ inFlight: 100 });
  t.after(() => broker.stop());
  const received = new Map<number, number>();
  const all = deferred();
  const receiver = await connectAsync(broker.url.replace("tcp:", "mqtt:"), { protocolVersion: 4 });
  t.after(() => receiver.endAsync(true));
  receiver.on("message", (_topic, payload) => {
    const id = Number(payload.toString("utf8"));
    received.set(id, (received.get(id) ?? 0) + 1);
    if (received.size === count) all.resolve();
  });
  await receiver.subscribeAsync("out", { qos: 1 });
  const sender = await connectAsync(broker.url.replace("tcp:", "mqtt:"), { protocolVersion: 4 });
  t.after(() => sender.endAsync(true));
  return {
    broker,
    received,
    arrived: all.promise,
    hasAll: () => received.size === count,
    async send(pace) {
      const steps = Math.max(1, Math.round(pace / 20));
      const published: Promise<unknown>[] = [];
      for (let id = 0; id < count; id++) {
        published.push(sender.publishAsync("in", String(id), { qos: 1 }));
        if (id % Math.ceil(count / steps) === 0) await pause(20);
      }
      await Promise.all(published);
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function report(t: TestContext, { received }: Traffic, what: string): void {
  const twice = [...received.values()].filter((times) => times > 1);
  const most = Math.max(0, ...received.values());
  t.diagnostic(`${count} messages, ${what}: ${twice.length} came more than once, at most ${most} times`);
  assert.deepEqual(
    [...received.keys()].sort((a, b) => a - b),
    Array.from({ length: count }, (_, id) => id),
  );
}

/** Under this load a start takes its time. */
const untilReady = (dev: Dev) =>
  until(() => dev.all("ready").length > 0, dev, "change", "dev is ready", 120_000);

/** Waits for all, and says how far it came when they do not. */
async function untilAll(traffic: Traffic): Promise<void> {
  await withDeadline(traffic.arrived, "all messages", deadline).catch((err) => {
    throw new Error(`${err.message}; there are ${traffic.received.size} of ${count}`);
  });
}

/** Kills the function's process about every second, whenever it has answered since it was ready. */
function killFunction(t: TestContext, dev: Dev): { readonly kills: number; stop(): void } {
  const random = new Random(4711, 0);
  let kills = 0;
  let pid: number | undefined;
  let hasAnswered = false;
  dev.on("change", () => {
    const event = dev.events.at(-1);
    if (event?.event === "ready") pid = event.data.functions[0]?.pid;
    if (event?.event === "reload") pid = event.data.pid;
    if (event?.event === "ready" || event?.event === "reload") hasAnswered = false;
    if (event?.event === "invocation") hasAnswered = true;
  });
  const kill = () => {
    timer = setTimeout(kill, random.between(500, 1500)); // not in step with the pauses between attempts
    if (pid === undefined || !hasAnswered) return;
    process.kill(pid, "SIGKILL");
    kills++;
    pid = undefined;
  };
  let timer = setTimeout(kill, 500);
  const stop = () => clearTimeout(timer);
  t.after(stop);
  return {
    get kills() {
      return kills;
    },
    stop,
  };
}

describe("nothing is lost", { skip: withoutMosquitto }, () => {
  test("the function's process is killed every second", { timeout: deadline + 60_000 }, async (t) => {
    const traffic = await startTraffic(t);
    const project = makeProject(t, {
      "function.yaml": asyncFunctionYaml({ outputs: { "mqtt-out": "out" }, url: traffic.broker.url }),
      "index.mjs": relay,
    });
    const dev = startDev(project, [...freePorts, "--brokers=declared"]);
    t.after(() => dev.stop("SIGKILL"));
    const killed = killFunction(t, dev);
    await untilReady(dev);

    await traffic.send(3000);
    await untilAll(traffic);

    killed.stop();
    assert.ok(killed.kills > 0);
    assert.equal(await dev.stop(), 0);
    report(t, traffic, `the function killed ${killed.kills} times`);
  });

  test("dev, sidecar and function together, is killed under load", {
    timeout: deadline + 60_000,
  }, async (t) => {
    const traffic = await startTraffic(t);
    const project = makeProject(t, {
      "function.yaml": asyncFunctionYaml({ outputs: { "mqtt-out": "out" }, url: traffic.broker.url }),
      "index.mjs": relay,
    });
    const args = [...freePorts, "--brokers=declared"];
    let dev = startDev(project, args);
    t.after(() => dev.stop("SIGKILL"));
    await untilReady(dev);

    const sent = traffic.send(3000);
    let kills = 0;
    for (; kills < restartsAtMost && !traffic.hasAll(); kills++) {
      await dev.next("delivery");
      await dev.stop("SIGKILL");
      dev = startDev(project, args);
      await untilReady(dev);
    }
    await sent;
    await untilAll(traffic);

    report(t, traffic, `dev killed ${kills} times`);
  });

  test("the sidecar is restarted under load, and the function lives on", {
    timeout: deadline + 60_000,
  }, async (t) => {
    const traffic = await startTraffic(t);
    const daprPort = await freePort();
    const component = (name: string, topic: string) => ({
      name,
      type: "bindings.mqtt3",
      version: "v1",
      metadata: { consumerID: `soak-${name}`, url: traffic.broker.url, topic },
    });
    const options: RuntimeOptions = {
      function: "relay",
      appId: "relay",
      components: [component("mqtt-in", "in"), component("mqtt-out", "out")],
      port: { port: daprPort, explicit: true, flag: "--dapr-port" },
      backoff: { initial: 20, factor: 2, max: 200 },
      onNotice: () => undefined,
    };
    let runtime = await startRuntime(options);
    t.after(() => runtime.stop());
    const bound = (componentName: string) => ({
      componentName,
      componentType: "bindings.mqtt3",
      operation: "create",
    });
    const framework = await startFramework(["--target=relay"], {
      project: makeProject(t, { "index.mjs": relay, "package.json": '{"main":"index.mjs"}' }),
      keep: 10_000,
      env: {
        DAPR_HTTP_PORT: String(daprPort),
        FUNC_CONTEXT: JSON.stringify({
          name: "relay",
          runtime: "Async",
          inputs: { in: bound("mqtt-in") },
          outputs: { out: bound("mqtt-out") },
        }),
      },
    });
    t.after(() => framework.stop());
    await runtime.attach(framework.url);

    const sent = traffic.send(3000);
    let restarts = 0;
    for (let before = -1; restarts < restartsAtMost && !traffic.hasAll(); restarts++) {
      while (traffic.received.size === before) await pause(20); // some got through since the last restart
      before = traffic.received.size;
      await pause(300);
      await runtime.stop();
      runtime = await startRuntime(options);
      await runtime.attach(framework.url);
    }
    await sent;
    await untilAll(traffic);

    assert.ok(restarts > 0);
    report(t, traffic, `the sidecar restarted ${restarts} times`);
  });
});
