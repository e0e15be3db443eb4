/** Deliveries over gRPC when there are many of them, and at the end of the process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { Sidecar, status } from "../support/grpc";
import { withDeadline } from "../support/wait";
import { asyncContext, makeUserProject, startModule } from "./support/modules";

const path = announcedRoute("stream", "invoices/created");
const atOnce = JSON.stringify({ maxAttempts: 1, backoff: { initial: 0 } });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const env = { ...asyncContext(), APP_PROTOCOL: "grpc" };

async function start(t: TestContext, module: string, args: string[] = []) {
  const framework = await startModule(t, module, ["--target=handle", ...args], { env });
  const sidecar = new Sidecar(`127.0.0.1:${framework.port}`);
  t.after(() => sidecar.close());
  return { framework, sidecar };
}

function deliver(sidecar: Sidecar, data: unknown, isTopic: boolean) {
  if (!isTopic) return sidecar.call("OnBindingEvent", { name: "queue", data: json(data) });
  return sidecar.call("OnTopicEvent", {
    ...{ id: "1", source: "s", type: "t", specVersion: "1.0", dataContentType: "application/json" },
    ...{ data: json(data), pubsubName: "stream", topic: "invoices/created", path },
  });
}

test("10,000 messages, many at once, each one once", async (t) => {
  const { sidecar } = await start(
    t,
    `const seen = new Set();
     exports.handle = async (ctx, data) => {
       if (data.ask) return { different: seen.size };
       await null;
       if (seen.has(data.number)) throw new Error("twice");
       seen.add(data.number);
     };`,
    ["--max-concurrency=50", "--queue=10000"],
  );
  let failed = 0;
  let next = 0;
  const lane = async () => {
    while (next < 10_000) {
      const number = next++;
      const { code, message } = await deliver(sidecar, { number }, number % 2 === 0);
      if (code !== status.OK || message?.status === 1) failed++;
    }
  };

  await Promise.all(Array.from({ length: 200 }, lane));
  const { message } = await deliver(sidecar, { ask: true }, false);

  assert.equal(failed, 0);
  assert.equal(Buffer.from(message?.data as Uint8Array).toString(), '{"different":10000}');
});

test("under load a SIGTERM leaves no delivery without an answer, and acknowledges only what was done", async (t) => {
  const { framework, sidecar } = await start(
    t,
    `exports.handle = async (ctx, { number }) => {
       await new Promise((resolve) => setTimeout(resolve, number % 20));
       if (number % 7 === 0) throw new Error("bad luck");
       console.log("done " + number + ";");
     };`,
    [`--retry=${atOnce}`, "--max-concurrency=20"],
  );
  const acknowledged: number[] = [];
  const codes = new Map<number, number>();
  const one = async (number: number) => {
    const { code, message } = await deliver(sidecar, { number }, number % 2 === 0);
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (code === status.OK && message?.status !== 1) acknowledged.push(number);
  };

  const deliveries = Array.from({ length: 400 }, (_, number) => one(number + 1));
  await framework.says("done 30;");
  framework.kill("SIGTERM");
  const more = Array.from({ length: 100 }, (_, number) => one(1000 + number));
  await Promise.all([...deliveries, ...more]);
  const ending = await framework.ended();

  assert.equal(ending.code, 0);
  assert.deepEqual(
    [...codes.keys()].filter((code) => ![status.OK, status.INTERNAL, status.UNAVAILABLE].includes(code)),
    [],
  );
  const done = new Set([...ending.stdout.matchAll(/done (\d+);/g)].map(([, number]) => Number(number)));
  assert.deepEqual(
    acknowledged.filter((number) => !done.has(number)),
    [],
    "acknowledged, and not done",
  );
  // What had begun before the signal is finished and told: nothing is done twice for want of an answer.
  assert.deepEqual(
    [...done].filter((number) => !acknowledged.includes(number)),
    [],
    "done, and not acknowledged",
  );
});

test("an idle connection of the sidecar does not hold up the end", async (t) => {
  const { framework, sidecar } = await start(t, "exports.handle = () => {};");
  await deliver(sidecar, 1, false);

  framework.kill("SIGTERM");
  const { code, stderr } = await framework.ended();

  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /grace period/);
});

test("what is not finished within the grace period is UNAVAILABLE before the connection ends", async (t) => {
  const { framework, sidecar } = await start(
    t,
    `exports.handle = async (ctx, data) => {
       console.log("began " + data + ";");
       await new Promise((resolve) => ctx.signal.addEventListener("abort", () => { console.log("aborted " + data + ";"); resolve(); }));
       await new Promise(() => {});
     };`,
    ["--grace-period=0.5"],
  );
  const pending = [deliver(sidecar, "a", false), deliver(sidecar, "b", true)];
  await framework.says("began a;");
  await framework.says("began b;");

  framework.kill("SIGTERM");
  const replies = await Promise.all(pending);
  const { code, stdout, stderr } = await framework.ended();

  for (const { code: answer, details } of replies) {
    assert.equal(answer, status.UNAVAILABLE);
    assert.match(details, /grace period/);
  }
  assert.equal(code, 0);
  assert.match(stdout, /aborted a;.*aborted b;/s);
  assert.match(stderr, /The grace period is over: 1 connection is cut/);
});

test("a delivery that waits for its next attempt is UNAVAILABLE at the stop", async (t) => {
  const hour = JSON.stringify({ maxAttempts: 5, backoff: { initial: 3_600_000, factor: 1, max: 3_600_000 } });
  const { framework, sidecar } = await start(t, `exports.handle = () => { throw new Error("no luck"); };`, [
    `--retry=${hour}`,
  ]);
  const waiting = [deliver(sidecar, "a", false), deliver(sidecar, "b", true)];
  await framework.says('"trigger":"binding:queue"');
  await framework.says('"trigger":"topic:stream/invoices/created"');

  framework.kill("SIGTERM");
  const replies = await Promise.all(waiting);

  assert.deepEqual(
    replies.map(({ code }) => code),
    [status.UNAVAILABLE, status.UNAVAILABLE],
  );
  assert.equal((await framework.ended()).code, 0);
});

// Node 20 cannot be told to bear more than 1,000 at once.
const many = Number(process.versions.node.split(".")[0]) >= 22 ? 3_000 : 900;

test("many deliveries that are given up at once do not end the connection of the others", async (t) => {
  const { framework, sidecar } = await start(
    t,
    `let calls = 0;
     exports.handle = (ctx, data) => {
       if (data === "fine") return;
       if (++calls === ${many}) console.log("all there;");
       return new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
     };`,
  );
  const one = sidecar.start("OnBindingEvent", { name: "queue", data: json("one") });
  const calls = Array.from({ length: many - 1 }, () =>
    sidecar.start("OnBindingEvent", { name: "queue", data: json("hang") }),
  );
  await framework.says("all there;");

  for (const { cancel } of calls) cancel();
  await Promise.all(calls.map(({ reply }) => reply));
  const after = await deliver(sidecar, "fine", true);
  one.cancel();

  assert.equal(after.code, status.OK, after.details);
  assert.equal((await one.reply).code, status.CANCELLED);
});

test("a process that the user ends in the middle breaks the call, so the message comes again", async (t) => {
  const { framework, sidecar } = await start(t, "exports.handle = () => process.exit(3);");

  const reply = await deliver(sidecar, 1, false);

  assert.equal(reply.code, status.UNAVAILABLE);
  assert.equal((await framework.ended()).code, 3);
});

test("workers behind one port serve gRPC, a connection each", async (t) => {
  const { framework, sidecar } = await start(t, "exports.handle = () => process.pid;", ["--workers=2"]);
  const pids = new Set<string>();
  const ask = async () => {
    while (pids.size < 2) {
      // The second worker comes a while after the first.
      const one = new Sidecar(`127.0.0.1:${framework.port}`);
      t.after(() => one.close());
      for (const { code, message } of await Promise.all([
        deliver(sidecar, 1, false),
        deliver(one, 1, false),
      ])) {
        assert.equal(code, status.OK);
        pids.add(Buffer.from(message?.data as Uint8Array).toString());
      }
    }
  };

  await withDeadline(ask(), "both workers answer", 30_000);
  framework.kill("SIGTERM");
  const { code } = await framework.ended();

  assert.equal(code, 0);
});

test("a worker serves gRPC on a UNIX socket too", async (t) => {
  const project = await makeUserProject(t, {
    "index.js": "exports.handle = (ctx, data) => data.toUpperCase();",
  });
  const socket = join(project, "function.sock");
  const worker = join(__dirname, "../../dist/instances/worker.js");
  const child = spawn(process.execPath, [worker], {
    cwd: project,
    env: { PATH: process.env.PATH, ...env, FUNCTION_TARGET: "handle", FF_LISTEN: `unix:${socket}` },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [ready] = await withDeadline(once(child, "message"), "the worker is ready");
  const sidecar = new Sidecar(`unix:${socket}`);
  t.after(() => sidecar.close());

  const { code, message } = await deliver(sidecar, "hello", false);

  assert.equal((ready as { address: string }).address, `unix:${socket}`);
  assert.equal(code, status.OK);
  assert.equal(Buffer.from(message?.data as Uint8Array).toString(), "HELLO");
});
