/** Nothing is lost, nothing hangs, nothing is left behind. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { freePorts, startDev } from "../support/dev";
import { startMosquitto, withoutMosquitto } from "../support/mosquitto";
import { connectOutside } from "../support/mqtt-client";
import { startRecorder } from "../support/mqtt-recorder";
import { isGone, untilGone } from "../support/processes";
import { asyncFunctionYaml, functionYaml, httpFunctionYaml, makeProject } from "../support/project";
import { until } from "../support/wait";

const relay = { "function.yaml": asyncFunctionYaml({ outputs: { "mqtt-out": "out" } }) };

async function startProject(
  t: import("node:test").TestContext,
  files: Record<string, string>,
  args: string[] = [],
) {
  const dev = startDev(makeProject(t, files), [...freePorts, ...args]);
  t.after(() => dev.stop("SIGKILL"));
  const ready = await dev.ready();
  const outside = await connectOutside(`mqtt://127.0.0.1:${new URL(ready.brokers[0]?.address ?? "").port}`, [
    "out",
  ]);
  t.after(() => outside.stop());
  return { dev, ready, outside };
}

test("a function that throws is called again until it succeeds, and only then the message is done", async (t) => {
  const { dev, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `let calls = 0;
      export const relay = (ctx, data) => { if (++calls < 3) throw new Error("not yet"); return ctx.send({ calls, data }); };`,
  });

  await outside.publish("in", '"m"');
  await outside.count(1);
  await dev.next("delivery", ({ data }) => data.outcome === "ack");
  await dev.next("invocation", ({ data }) => data.outcome === "ack");

  assert.equal(outside.received[0]?.text, '{"calls":3,"data":"m"}');
  assert.deepEqual(
    dev.all("delivery").map(({ data }) => `${data.attempt} ${data.outcome}`),
    ["1 retry", "2 retry", "3 ack"],
  );
  assert.deepEqual(
    dev.all("invocation").map(({ data }) => data.error),
    ["not yet", "not yet", undefined],
  );
});

test("a send that nobody awaits and that fails makes the delivery fail", async (t) => {
  const { dev, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `let calls = 0;
      export const relay = (ctx, data) => { ctx.send(data, "mqtt-out", ++calls === 1 ? { operation: "nonsense" } : {}); };`,
  });

  await outside.publish("in", "1");
  await outside.count(1);
  await dev.next("delivery", ({ data }) => data.outcome === "ack");
  await dev.next("send", ({ data }) => data.ok);

  assert.deepEqual(
    dev.all("delivery").map(({ data }) => data.outcome),
    ["retry", "ack"],
  );
  assert.deepEqual(
    dev.all("send").map(({ data }) => [data.ok, data.status]),
    [
      [false, 500],
      [true, 204],
    ],
  );
});

test("one failing invocation does not touch the others", async (t) => {
  const { dev, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `export const relay = async (ctx, data) => {
        if (ctx.locals.seen) throw new Error("a ctx was shared");
        ctx.locals.seen = data;
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (data === "bad") throw new Error("bad");
        if (ctx.locals.seen !== data) throw new Error("mixed up");
        await ctx.send(data);
      };`,
  });

  await Promise.all(
    ["bad", ...Array.from({ length: 60 }, (_, i) => `good-${i}`)].map((text) =>
      outside.publish("in", JSON.stringify(text)),
    ),
  );
  await outside.count(60);
  await until(
    () => dev.all("invocation").filter(({ data }) => data.outcome === "ack").length >= 60,
    dev,
    "change",
    "60 acks",
  );
  await dev.next("invocation", ({ data }) => data.error === "bad");

  assert.equal(new Set(outside.received.map(({ text }) => text)).size, 60);
  assert.ok(dev.all("invocation").every(({ data }) => data.outcome === "ack" || data.error === "bad"));
});

test("the function process may die at any moment: it is started again and the message is kept", async (t) => {
  const { dev, ready, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `import { existsSync, writeFileSync } from "node:fs";
      export const relay = async (ctx, data) => {
        if (!existsSync("crashed")) { writeFileSync("crashed", ""); process.kill(process.pid, "SIGKILL"); await new Promise(() => {}); }
        await ctx.send(data);
      };`,
  });

  await outside.publish("in", '"kept"');
  await outside.count(1);
  const reload = await dev.next("reload");

  assert.equal(outside.received[0]?.text, '"kept"');
  assert.equal(dev.all("error")[0]?.data.code, "FF_INSTANCE_CRASHED");
  assert.notEqual(reload.data.pid, ready.functions[0]?.pid);
});

test("a function that ends five times in a row before it answers is not started again, and its message is kept", async (t) => {
  const { dev, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `import { existsSync, writeFileSync } from "node:fs";
      if (existsSync("broken")) process.exit(5);
      export const relay = () => { writeFileSync("broken", ""); process.exit(6); };`,
  });

  await outside.publish("in", '"kept"');
  const { data, function: name } = await dev.next(
    "error",
    ({ data }) => data.code === "FF_INSTANCE_CRASH_LOOP",
  );
  const code = await dev.stop("SIGTERM");

  assert.equal(name, "relay");
  assert.match(data.message, /"relay" has ended 5 times in a row/);
  assert.deepEqual(
    dev
      .all("error")
      .map((error) => `${error.data.code} ${/exit code \d/.exec(error.data.message)?.[0] ?? ""}`),
    [
      "FF_INSTANCE_CRASHED exit code 6",
      "FF_INSTANCE_EXITED exit code 5",
      "FF_INSTANCE_EXITED exit code 5",
      "FF_INSTANCE_EXITED exit code 5",
      "FF_INSTANCE_EXITED exit code 5",
      "FF_INSTANCE_CRASH_LOOP ",
    ],
  );
  assert.deepEqual(
    dev.all("delivery").filter(({ data }) => data.outcome === "ack"),
    [],
  );
  assert.equal(code, 0);
});

test("SIGTERM finishes what is in flight, acknowledges it, and leaves no process", async (t) => {
  const { dev, ready, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `export const relay = async (ctx, data) => { console.log("begun"); await new Promise((r) => setTimeout(r, 700)); await ctx.send(data); };`,
  });

  await outside.publish("in", '"slow"');
  await dev.next("log", ({ data }) => data.text === "begun");
  const [code] = await Promise.all([dev.stop("SIGTERM"), outside.count(1)]);

  assert.equal(code, 0);
  assert.deepEqual(
    dev.all("delivery").map(({ data }) => data.outcome),
    ["ack"],
  );
  assert.ok(isGone(ready.functions[0]?.pid ?? 0));
});

for (const [what, module] of [
  ["an idle function", "export const relay = () => {};"],
  [
    "a function that blocks its event loop",
    "export const relay = () => { console.log('blocking'); while (true) {} };",
  ],
] as const) {
  test(`no orphan is left when dev is killed -9: ${what}`, async (t) => {
    const { dev, ready, outside } = await startProject(t, { ...relay, "index.mjs": module });
    await outside.publish("in", "1");
    if (module.includes("blocking")) await dev.next("log");

    await dev.stop("SIGKILL");

    await untilGone(ready.functions[0]?.pid ?? 0);
  });
}

for (const [what, module] of [
  [
    "waits for ever",
    "console.log('loading'); await new Promise(() => setInterval(() => {}, 1e6)); export const relay = () => {};",
  ],
  ["blocks", "process.stdout.write('loading\\n'); while (true) {}; export const relay = () => {};"],
] as const) {
  test(`a module that ${what} while it loads leaves no orphan: dev killed -9`, async (t) => {
    const dev = startDev(makeProject(t, { ...relay, "index.mjs": `${module}` }), freePorts, {});
    t.after(() => dev.stop("SIGKILL"));
    await dev.next("log");
    const worker = workerOf(dev.child.pid ?? 0);

    await dev.stop("SIGKILL");

    await untilGone(worker);
  });

  test(`a module that ${what} while it loads does not hold up SIGTERM`, async (t) => {
    const dev = startDev(makeProject(t, { ...relay, "index.mjs": `${module}` }), freePorts);
    t.after(() => dev.stop("SIGKILL"));
    await dev.next("log");
    const worker = workerOf(dev.child.pid ?? 0);

    const code = await dev.stop("SIGTERM");

    assert.equal(code, 0);
    assert.equal(dev.all("error").length, 0);
    await untilGone(worker);
  });
}

/** The one child of a process (Linux and macOS). */
function workerOf(parent: number): number {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const row = stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .find(([, ppid]) => ppid === parent);
  return row?.[0] ?? assert.fail("dev has no child");
}

test("several functions run side by side, HTTP and async, each with its own address and environment", async (t) => {
  const { dev, ready, outside } = await startProject(
    t,
    {
      "a.yaml": `${asyncFunctionYaml({ outputs: { "mqtt-out": "out" }, params: { GREETING: "from a" } })}\n---\n${httpFunctionYaml("front", "front")}`,
      "b.yaml": asyncFunctionYaml({
        name: "other",
        inputs: { "mqtt-in": "in2" },
        outputs: { "mqtt-out": "out" },
        params: { GREETING: "from b" },
      }),
      "index.mjs": `export const relay = (ctx, data) => ctx.send({ data, greeting: process.env.GREETING, name: ctx.name });
      export const front = (req, res) => res.send("Hello, " + req.query.u + ", " + process.env.GREETING);`,
    },
    ["-f", "."],
  );
  const [relayOne, front, other] = ready.functions;

  const answer = await (await fetch(`${front?.url}?u=you`)).text();
  await outside.publish("in", "1");
  await outside.publish("in2", "2");
  await outside.count(2);
  const http = await dev.next("invocation", ({ data }) => data.trigger === "http");

  assert.equal(answer, "Hello, you, undefined");
  assert.deepEqual(
    outside.received.map(({ text }) => JSON.parse(text)).sort((a, b) => a.data - b.data),
    [
      { data: 1, greeting: "from a", name: "relay" },
      { data: 2, greeting: "from b", name: "other" },
    ],
  );
  assert.deepEqual([http.function, http.data.outcome, http.data.status], ["front", "ok", 200]);
  assert.deepEqual(
    ready.functions.map(({ name }) => name),
    ["relay", "front", "other"],
  );
  assert.equal(new Set([relayOne?.url, front?.url, other?.url, relayOne?.sidecar, other?.sidecar]).size, 5);
  assert.equal(front?.sidecar, null);
});

test("10,000 lines of output and a message of 200 kB do not get in the way", async (t) => {
  const { dev, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `export const relay = async (ctx, data) => { for (let i = 0; i < 10000; i++) console.log("line " + i); await ctx.send(data.length); };`,
  });

  await outside.publish("in", JSON.stringify("x".repeat(200_000)));
  await outside.count(1);
  await until(() => dev.all("log").length >= 10_000, dev, "change", "all lines");

  assert.equal(outside.received[0]?.text, "200000");
  assert.equal(dev.all("log")[9_999]?.data.text, "line 9999");
});

const slow = `export const relay = async (ctx, data) => { console.log("begun"); await new Promise((r) => setTimeout(r, 500)); await ctx.send(data); };`;

for (const signal of ["SIGINT", "SIGHUP"] as const) {
  test(`${signal} to the whole group, as a terminal sends it, finishes what is in flight`, async (t) => {
    const { dev, ready, outside } = await startProject(t, { ...relay, "index.mjs": slow });
    await outside.publish("in", '"slow"');
    await dev.next("log", ({ data }) => data.text === "begun");

    process.kill(ready.functions[0]?.pid ?? 0, signal);
    const [code] = await Promise.all([dev.stop(signal), outside.count(1)]);

    assert.equal(code, 0);
    assert.deepEqual(
      dev.all("delivery").map(({ data }) => data.outcome),
      ["ack"],
    );
    assert.ok(isGone(ready.functions[0]?.pid ?? 0));
  });
}

test("a second signal ends dev at once, and no process is left", async (t) => {
  const { dev, ready, outside } = await startProject(t, {
    ...relay,
    "index.mjs": "export const relay = () => { console.log('begun'); return new Promise(() => {}); };",
  });
  await outside.publish("in", "1");
  await dev.next("log");

  dev.child.kill("SIGTERM");
  await setTimeout(100); // the first signal must have begun its work
  const code = await dev.stop("SIGTERM");

  assert.equal(code, 143);
  await untilGone(ready.functions[0]?.pid ?? 0);
});

test("a process that the function has started and left behind does not hold up the stop", async (t) => {
  const { dev } = await startProject(t, {
    ...relay,
    "index.mjs": `import { spawn } from "node:child_process";
      const child = spawn("sleep", ["60"], { stdio: "inherit" }); child.unref(); console.log("left " + child.pid);
      export const relay = () => {};`,
  });
  const left = await dev.next("log", ({ data }) => data.text.startsWith("left"));
  t.after(() => process.kill(Number(left.data.text.split(" ")[1]), "SIGKILL"));
  const started = Date.now();

  const code = await dev.stop();

  assert.equal(code, 0);
  assert.ok(Date.now() - started < 30_000);
});

test("a topic in another alphabet reaches the function as it is", async (t) => {
  const { dev, outside } = await startProject(t, {
    "function.yaml": asyncFunctionYaml({
      inputs: { "mqtt-in": "räume/温度" },
      outputs: { "mqtt-out": "out" },
    }),
    "index.mjs": "export const relay = (ctx, data) => ctx.send({ topic: ctx.input.metadata.topic, data });",
  });

  await outside.publish("räume/温度", "21");
  await outside.count(1);

  assert.deepEqual(JSON.parse(outside.received[0]?.text ?? ""), { topic: "räume/温度", data: 21 });
  assert.deepEqual(dev.all("error"), []);
});

test("the broker sees one PUBACK, after the function has thrown three times and then succeeded", {
  skip: withoutMosquitto,
}, async (t) => {
  const broker = await startMosquitto();
  t.after(() => broker.stop());
  const recorder = await startRecorder(broker.port);
  t.after(() => recorder.stop());
  const project = makeProject(t, {
    "function.yaml": asyncFunctionYaml({ url: `tcp://127.0.0.1:${recorder.port}` }),
    "index.mjs":
      "let calls = 0; export const relay = () => { if (++calls < 4) throw new Error('call ' + calls); console.log('call ' + calls); };",
  });
  const dev = startDev(project, [...freePorts, "--brokers=declared"]);
  t.after(() => dev.stop("SIGKILL"));
  await dev.ready();
  const outside = await connectOutside(broker.url);
  t.after(() => outside.stop());

  await outside.publish("in", "1");
  await dev.next("log", ({ data }) => data.text.includes("call 3"));
  assert.equal(recorder.sent("puback").length, 0);
  await dev.next("log", ({ data }) => data.text === "call 4");
  await until(() => recorder.sent("puback").length > 0, recorder, "packet", "the acknowledgement");
  await dev.stop();

  assert.deepEqual(
    dev.all("delivery").map(({ data }) => data.outcome),
    ["retry", "retry", "retry", "ack"],
  );
  assert.equal(recorder.sent("puback").length, 1);
});

test("what a function says to its parent by itself is no message of ours", async (t) => {
  const { dev, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `process.send?.("ready"); process.send?.(null);
      export const relay = (ctx, data) => { process.send?.({ type: "news", items: 5 }); process.send?.({ type: "ready" }); return ctx.send(data); };`,
  });

  await outside.publish("in", "1");
  await outside.count(1);

  assert.equal(outside.received[0]?.text, "1");
  assert.deepEqual(dev.all("error"), []);
});

test("two functions share a component: each gets its own messages", async (t) => {
  const use = (name: string) =>
    functionYaml(name, {
      runtime: "async",
      annotations: { "dapr.io/app-protocol": "http" },
      params: { FUNCTION_TARGET: "relay" },
      inputs: [{ name: "from", component: "stream", topic: `${name}-in` }],
      outputs: [{ name: "to", component: "stream", topic: "out" }],
    });
  const metadata = [
    { name: "url", value: "tcp://a:b@emqx:1883" },
    { name: "consumerID", value: "shop" },
  ];
  const component = {
    apiVersion: "dapr.io/v1alpha1",
    kind: "Component",
    metadata: { name: "stream" },
    spec: { type: "pubsub.mqtt3", version: "v1", metadata },
  };
  const { dev, outside } = await startProject(t, {
    "function.yaml": [use("a"), use("b"), JSON.stringify(component)].join("\n---\n"),
    "index.mjs": "export const relay = (ctx, data) => ctx.send([ctx.name, data]);",
  });

  for (let i = 0; i < 20; i++) for (const name of ["a", "b"]) await outside.publish(`${name}-in`, String(i));
  await outside.count(40);

  const data = outside.received.map(({ text }) => JSON.stringify(JSON.parse(text).data));
  assert.equal(new Set(data).size, 40);
  assert.deepEqual(dev.all("error"), []);
});

test("a reader that goes away in the middle of a flood ends dev, and no process is left", async (t) => {
  const { dev, ready, outside } = await startProject(t, {
    ...relay,
    "index.mjs": `export const relay = () => { setInterval(() => process.stdout.write("x".repeat(100_000) + "\\n"), 1); };`,
  });
  await outside.publish("in", "1");
  await dev.next("log");

  dev.child.stdout?.pause();
  await setTimeout(300); // the pipe is full and the flood held back
  dev.child.stdout?.destroy();
  const { code } = await dev.exited;

  assert.equal(code, 0);
  assert.equal(dev.stderr.includes("EPIPE"), false);
  await untilGone(ready.functions[0]?.pid ?? 0);
});
