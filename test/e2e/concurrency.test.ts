/** `--max-concurrency`: callers are turned away, deliveries wait in line. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { until } from "../support/wait";
import type { Framework } from "./support/framework";
import { postJson, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

/** Whatever waits is told on stdin to end: `end NAME`. */
const module = `
  const waiting = new Map();
  let rest = "";
  process.stdin.on("data", (data) => {
    const lines = (rest + data).split("\\n");
    rest = lines.pop();
    for (const line of lines) waiting.get(line.slice(4))?.();
  });
  const wait = (name) => new Promise((resolve) => {
    waiting.set(name, resolve);
    console.log("working on " + name);
  });
  exports.serve = async (req, res) => {
    if (req.path === "/throws") throw new Error("no luck");
    if (req.path !== "/quick") await wait(req.path.slice(1));
    res.send("done");
  };
  exports.handle = async (ctx, { name }) => {
    await wait(name);
    if (name === "fails") throw new Error("no luck");
  };`;

test("above the limit callers are 429 with Retry-After, and the function is not called", async (t) => {
  const framework = await startModule(t, module, ["--target=serve", "--max-concurrency=2"]);
  const pending = [request(`${framework.url}/a`), postJson(`${framework.url}/b`, {})];
  await Promise.all([framework.says("working on a\n"), framework.says("working on b\n")]);

  const got = await request(`${framework.url}/c`);
  const posted = await postJson(`${framework.url}/c`, { a: 1 }, { Accept: "application/json" });
  framework.tell("end a\nend b");
  const replies = await Promise.all(pending);

  assert.equal(got.status, 429);
  assert.equal(got.headers["retry-after"], "1");
  assert.equal(got.headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(got.headers["x-google-status"], undefined);
  assert.equal(posted.status, 429);
  assert.equal(posted.json().code, "FF_CONCURRENCY_EXCEEDED");
  for (const reply of replies) assert.deepEqual([reply.status, reply.text], [200, "done"]);
  assert.doesNotMatch(framework.stdout, /working on c/);
});

test("a place is given back by answers, failures, bad requests and clients that leave", async (t) => {
  const framework = await startModule(t, module, ["--target=serve", "--max-concurrency=1"]);
  const statusOf = async (path: string, body?: string) => {
    const headers = { "Content-Type": "application/json" };
    const { status } = await request(
      framework.url + path,
      body === undefined ? {} : { method: "POST", headers, body },
    );
    return status;
  };

  const statuses: number[] = [];
  for (let round = 0; round < 3; round++) {
    statuses.push(await statusOf("/quick"), await statusOf("/throws"), await statusOf("/quick", "{broken"));
    const name = `left-${round}`;
    const socket = connect(framework.port, "127.0.0.1");
    socket.write(`GET /${name} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await framework.says(`working on ${name}\n`);
    statuses.push(await statusOf("/quick"));
    socket.destroy();
    await once(socket, "close");
    // The server learns of it before it accepts the next connection.
    await request(`${framework.url}/favicon.ico`);
  }
  statuses.push(await statusOf("/quick"));

  assert.deepEqual(statuses, [...[1, 2, 3].flatMap(() => [200, 500, 400, 429]), 200]);
});

test("probes, metrics and ignored routes take no place", async (t) => {
  const framework = await startModule(t, module, [
    "--target=serve",
    "--max-concurrency=1",
    "--health",
    "--metrics",
  ]);
  const pending = request(`${framework.url}/a`);
  await framework.says("working on a\n");

  const paths = ["/health/liveness", "/health/readiness", "/metrics", "/favicon.ico", "/quick"];
  const statuses = await Promise.all(paths.map(async (path) => (await request(framework.url + path)).status));
  framework.tell("end a");

  assert.deepEqual(statuses, [200, 200, 200, 404, 429]);
  assert.equal((await pending).status, 200);
});

test("a place that the deadline has freed is free", async (t) => {
  const framework = await startModule(t, module, ["--target=serve", "--max-concurrency=1", "--timeout=1"]);

  const late = await request(`${framework.url}/a`);
  const next = await request(`${framework.url}/quick`);

  assert.deepEqual([late.status, next.status], [504, 200]);
});

const route = announcedRoute("stream", "invoices/created");

function startAsync(t: TestContext, args: string[]): Promise<Framework> {
  return startModule(t, module, ["--target=handle", ...args], { env: asyncContext() });
}

/** The bytes of a delivery, to be sent with others in one go so that their order is certain. */
function delivery(name: string, path = "/queue"): string {
  const isEvent = path !== "/queue";
  const value = { name };
  const body = JSON.stringify(
    isEvent ? { id: name, source: "/", type: "t", specversion: "1.0", data: value } : value,
  );
  const type = isEvent ? "application/cloudevents+json" : "application/json";
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const probe = "GET /dapr/config HTTP/1.1\r\nHost: x\r\n\r\n";

/** Resolves when the server has read what was sent: the probe in front is answered. */
async function send({ port }: Framework, text: string) {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  const received = { text: "" };
  socket.on("data", (part) => {
    received.text += part;
  });
  socket.write(probe + text);
  await until(() => received.text.includes("{}"), socket, "data", "the probe is answered");
  const statuses = () => [...received.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  return {
    socket,
    received,
    answers: (count: number) =>
      until(() => statuses().length > count, socket, "data", `${count} answers`).then(() =>
        statuses().slice(1),
      ),
  };
}

test("deliveries above the limit wait in line and keep their order", async (t) => {
  const framework = await startAsync(t, ["--max-concurrency=1"]);
  const names = ["a", "fails", "c", "d"];

  const { answers } = await send(framework, names.map((name) => delivery(name)).join(""));
  for (const [index, name] of names.entries()) {
    await framework.says(`working on ${name}\n`);
    assert.equal(framework.stdout.match(/working on/g)?.length, index + 1);
    framework.tell(`end ${name}`);
  }

  assert.deepEqual(await answers(4), [200, 500, 200, 200]);
});

test("when the line is full too a binding is 503, a topic is told RETRY in the caller's words", async (t) => {
  const framework = await startAsync(t, ["--max-concurrency=1", "--queue=1"]);
  const { answers } = await send(framework, delivery("a") + delivery("b"));
  await framework.says("working on a\n");

  const bound = await postJson(`${framework.url}/queue`, { name: "c" });
  const event = { id: "c", source: "/", type: "t", specversion: "1.0", data: { name: "c" } };
  const announced = await postJson(framework.url + route, event);
  const topic = await postJson(`${framework.url}/invoices/created`, event);
  framework.tell("end a");
  await framework.says("working on b\n");
  framework.tell("end b");

  assert.equal(bound.status, 503);
  assert.equal(bound.headers["retry-after"], "1");
  assert.deepEqual([announced.status, announced.json()], [200, { status: "RETRY" }]);
  assert.equal(topic.status, 503);
  assert.deepEqual(await answers(2), [200, 200]);
  assert.doesNotMatch(framework.stdout, /working on c/);
  assert.ok(
    framework.logs().some(({ message }) => message.startsWith("FF_QUEUE_FULL")),
    framework.stderr,
  );
});

test("no line at all: --queue=0", async (t) => {
  const framework = await startAsync(t, ["--max-concurrency=1", "--queue=0"]);
  const { answers } = await send(framework, delivery("a"));
  await framework.says("working on a\n");

  const refused = await postJson(`${framework.url}/queue`, { name: "b" });
  framework.tell("end a");

  assert.equal(refused.status, 503);
  assert.deepEqual(await answers(1), [200]);
});

test("a waiting delivery whose sidecar is gone is skipped, and its place in the line is free", async (t) => {
  const framework = await startAsync(t, ["--max-concurrency=1", "--queue=1"]);
  const first = await send(framework, delivery("a"));
  await framework.says("working on a\n");
  const gone = await send(framework, delivery("b"));
  gone.socket.destroy();
  await once(gone.socket, "close");
  await send(framework, ""); // the server learns of it before it accepts the next connection

  const third = await send(framework, delivery("c"));
  framework.tell("end a");
  await framework.says("working on c\n");
  framework.tell("end c");

  assert.deepEqual(await first.answers(1), [200]);
  assert.deepEqual(await third.answers(1), [200]);
  assert.doesNotMatch(framework.stdout, /working on b/);
});

test("deliveries that wait at the signal are finished before the end", async (t) => {
  const framework = await startAsync(t, ["--max-concurrency=1"]);
  const { answers } = await send(framework, delivery("a") + delivery("b"));
  await framework.says("working on a\n");

  framework.kill("SIGTERM");
  framework.tell("end a");
  await framework.says("working on b\n");
  framework.tell("end b");

  assert.deepEqual(await answers(2), [200, 200]);
  assert.equal((await framework.ended()).code, 0);
});
