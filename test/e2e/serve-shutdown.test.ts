import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";

import { untilGone } from "../support/processes";
import { type Framework, spawnFramework, startFramework } from "./support/framework";
import { postJson, refusal, request } from "./support/http";
import { startModule } from "./support/modules";

const slow = { project: "slow" };
const args = ["--target=slow", "--log-level=debug"];

/** Its function ends at the line `finish`; any other line is an error outside of any invocation. */
const crashing = `
  let finish;
  process.stdin.setEncoding("utf8").on("data", (line) => {
    if (line !== "finish\\n") throw new Error("no luck");
    finish();
  });
  exports.slow = async () => {
    console.log("working");
    await new Promise((resolve) => { finish = resolve; });
    return "done";
  };`;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal}: what is in flight is finished, new connections are refused, the exit code is 0`, async (t) => {
    const framework = await startFramework(args, slow);
    t.after(framework.stop);
    const pending = [request(`${framework.url}/a`), postJson(`${framework.url}/b`, { a: 1 })];
    await Promise.all([framework.says("working on /a\n"), framework.says("working on /b\n")]);

    framework.kill(signal);
    await refusal(framework.port);
    framework.tell("finish");
    const replies = await Promise.all(pending);
    const ending = await framework.ended();

    assert.deepEqual(
      replies.map(({ status, text }) => [status, text]),
      [
        [200, "done"],
        [200, "done"],
      ],
    );
    assert.deepEqual([ending.code, ending.signal], [0, null]);
    assert.doesNotMatch(ending.stderr, /grace period/);
  });
}

test("a request whose body is still coming is in flight too", async (t) => {
  const framework = await startFramework(args, slow);
  t.after(framework.stop);
  const socket = connect(framework.port, "127.0.0.1").setEncoding("utf8");
  await once(socket, "connect");
  // The reply to the first request shows that the server has read the second one's head, sent with it.
  socket.write(
    "GET /quick HTTP/1.1\r\nHost: x\r\n\r\nPOST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nha",
  );
  await once(socket, "data");

  framework.kill("SIGTERM");
  await refusal(framework.port);
  socket.write("lf");
  const [second] = await once(socket, "data");
  const { code } = await framework.ended();

  assert.match(second, /^HTTP\/1\.1 200 OK/);
  assert.equal(code, 0);
});

test("idle connections that are kept alive do not delay the end", async (t) => {
  const framework = await startFramework([...args, "--grace-period=600"], slow);
  const agents = Array.from({ length: 3 }, () => new Agent({ keepAlive: true }));
  t.after(async () => {
    for (const agent of agents) agent.destroy();
    await framework.stop();
  });
  for (const agent of agents) await request(`${framework.url}/quick`, { agent });
  const silent = connect(framework.port, "127.0.0.1");
  await once(silent, "connect");

  framework.kill("SIGTERM");
  const { code, stderr } = await framework.ended();

  silent.destroy();
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /grace period/);
});

test("a connection that is kept alive ends once its request is answered", async (t) => {
  const framework = await startFramework([...args, "--grace-period=600"], slow);
  const agent = new Agent({ keepAlive: true });
  t.after(async () => {
    agent.destroy();
    await framework.stop();
  });
  const pending = request(`${framework.url}/a`, { agent });
  await framework.says("working on /a\n");

  framework.kill("SIGTERM");
  await refusal(framework.port);
  framework.tell("finish");
  const reply = await pending;
  const { code } = await framework.ended();

  assert.equal(reply.text, "done");
  assert.equal(code, 0);
});

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const) {
  test(`a second ${signal} ends the process at once with ${code}`, async (t) => {
    const framework = await startFramework([...args, "--grace-period=600"], slow);
    t.after(framework.stop);
    const pending = request(`${framework.url}/a`);
    await framework.says("working on /a\n");

    framework.kill(signal);
    await framework.says(`Stopping: ${signal}`);
    framework.kill(signal);
    const ending = await framework.ended();

    const reply = await pending;
    assert.deepEqual([reply.status, reply.text], [500, `The process ends with code ${code}.`]);
    assert.deepEqual([ending.code, ending.signal], [code, null]);
  });
}

test("when the grace period is over the rest is cut, counted, and the exit code is 0", async (t) => {
  const framework = await startFramework([...args, "--grace-period=0.1"], slow);
  t.after(framework.stop);
  const pending = ["/a", "/b"].map((path) => brokenRequest(framework, path));
  await Promise.all([framework.says("working on /a\n"), framework.says("working on /b\n")]);

  framework.kill("SIGTERM");
  const { code } = await framework.ended();

  await Promise.all(pending);
  assert.equal(code, 0);
  assert.ok(
    framework.logs().some(({ level, message }) => level === "warn" && /2 connections are cut/.test(message)),
    framework.stderr,
  );
});

test("one connection that is cut is told as one", async (t) => {
  const framework = await startFramework([...args, "--grace-period=0.1"], slow);
  t.after(framework.stop);
  const pending = brokenRequest(framework, "/a");
  await framework.says("working on /a\n");

  framework.kill("SIGTERM");
  await framework.ended();

  await pending;
  const [line] = framework.logs().filter(({ level }) => level === "warn");
  assert.equal(line?.message, "The grace period is over: 1 connection is cut.");
});

test("a crash while the process drains ends it with 16, after what is in flight", async (t) => {
  const framework = await startModule(t, crashing, args);
  const pending = request(framework.url);
  await framework.says("working\n");

  framework.kill("SIGTERM");
  await framework.says("Stopping: SIGTERM");
  framework.tell("crash");
  await framework.says("FF_PROCESS_CRASHED");
  framework.tell("finish");
  const reply = await pending;
  const { code } = await framework.ended();

  assert.deepEqual([reply.status, reply.text, code], [200, "done", 16]);
});

test("after a crash while the process drains, those that are cut get a 500", async (t) => {
  const framework = await startModule(t, crashing, [...args, "--grace-period=1"]);
  const pending = request(framework.url);
  await framework.says("working\n");

  framework.kill("SIGTERM");
  await framework.says("Stopping: SIGTERM");
  framework.tell("crash");
  const reply = await pending;
  const { code } = await framework.ended();

  assert.deepEqual([reply.status, reply.text, code], [500, "The process has crashed.", 16]);
});

test("a second signal after such a crash has its own code", async (t) => {
  const framework = await startModule(t, crashing, [...args, "--grace-period=600"]);
  const pending = request(framework.url);
  await framework.says("working\n");

  framework.kill("SIGTERM");
  await framework.says("Stopping: SIGTERM");
  framework.tell("crash");
  await framework.says("FF_PROCESS_CRASHED");
  framework.kill("SIGTERM");
  const { code } = await framework.ended();

  await pending;
  assert.equal(code, 143);
});

test("a signal while the module is still loading ends the process with 0", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const framework = spawnFramework(["--target=hello", "--port=0"], { project: "broken-await" });
    t.after(framework.stop);
    await framework.says("waiting for something that never comes\n");

    framework.kill(signal);
    const ending = await framework.ended();

    assert.deepEqual([ending.code, ending.signal], [0, null]);
    assert.equal(ending.stderr, "");
  }
});

function brokenRequest({ url }: Framework, path: string): Promise<void> {
  return assert.rejects(request(`${url}${path}`), /socket hang up|ECONNRESET/);
}

test("what was written and not read yet comes out before the end", async (t) => {
  const source = `exports.serve = (req, res) => {
    for (let n = 0; n < 4_000; n++) console.log(n + " " + "x".repeat(1_000));
    console.error("last of stderr");
    res.send("done");
  };`;
  const framework = await startModule(t, source, ["--target=serve", "--log-level=debug"]);

  const readOn = framework.holdOutput();
  await request(framework.url);
  framework.kill("SIGTERM");
  await refusal(framework.port);
  readOn();
  const { code, stdout, stderr } = await framework.ended();

  assert.equal(stdout.match(/^\d+ x{1000}$/gm)?.length, 4_000);
  assert.match(stderr, /last of stderr/);
  assert.equal(code, 0);
});

for (const [what, close] of [
  ["that is gone", true],
  ["that does not read", false],
] as const) {
  test(`a reader ${what} does not hold up the end`, async (t) => {
    const source = `exports.serve = (req, res) => {
      for (let n = 0; n < 4_000; n++) console.log("x".repeat(1_000));
      res.send("done");
    };`;
    const framework = await startModule(t, source, ["--target=serve", "--grace-period=0"]);
    const readOn = framework.holdOutput();
    await request(framework.url);

    if (close) framework.closeOutput();
    framework.kill("SIGTERM");
    await untilGone(framework.pid);
    readOn();
    const { code } = await framework.ended();

    assert.equal(code, 0);
  });
}
