/** The address of `dev` in front of all functions. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request as openRequest } from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";

import type { FunctionStatus } from "../../src/instances/status";
import { freePorts, startDev } from "../support/dev";
import { freePort } from "../support/mosquitto";
import { asyncFunctionYaml, functionYaml, httpFunctionYaml, makeProject } from "../support/project";
import { until } from "../support/wait";

import { openClient } from "./support/hop";
import { postJson, type Reply, type RequestOptions, request } from "./support/http";

const seen = `export const hello = (req, res) => res.json({ name: "hello", url: req.url, host: req.headers.host, port: process.env.PORT });`;

async function startProject(t: TestContext, files: Record<string, string>, args: string[] = []) {
  const dev = startDev(makeProject(t, files), [...freePorts, ...args]);
  t.after(() => dev.stop("SIGKILL"));
  const { gateway, control, functions } = await dev.ready();
  const row = async (name: string) =>
    (await (await fetch(`${control}/v1/functions/${name}`)).json()) as FunctionStatus;
  return { dev, gateway: gateway ?? "", control: control ?? "", functions, row };
}

const single = (module: string) => ({
  "function.yaml": httpFunctionYaml("hello", "hello"),
  "index.mjs": module,
});

test("one function answers at its name, and everywhere else", async (t) => {
  const { gateway, functions } = await startProject(t, single(seen));

  const named = await request(`${gateway}/hello/a?b=1`);
  const root = await request(`${gateway}/`);
  const other = await request(`${gateway}/x/y`);

  const { host, port } = new URL(gateway);
  assert.equal(functions[0]?.url, `${gateway}/hello`);
  assert.deepEqual(named.json(), { name: "hello", url: "/a?b=1", host, port });
  assert.equal(root.json().url, "/");
  assert.equal(other.json().url, "/x/y");
});

const several = {
  "a.yaml": httpFunctionYaml("hello", "hello"),
  "b.yaml": httpFunctionYaml("bye", "bye"),
  "c.yaml": asyncFunctionYaml({ name: "relay", target: "relay" }),
  "index.mjs": `${seen}
    export const bye = (req, res) => res.json({ name: "bye", url: req.url });
    export const relay = (ctx, data) => { console.log("got " + JSON.stringify(data)); };`,
};

test("several functions answer at their names; any other path is 404 and lists them", async (t) => {
  const { gateway, functions, dev } = await startProject(t, several, ["-f", "."]);

  const hello = await request(`${gateway}/hello`);
  const bye = await request(`${gateway}/bye/x`);
  const relay = await postJson(`${gateway}/relay/mqtt-in`, { a: 1 });
  const unknown = await request(`${gateway}/hallo`);
  const json = await request(gateway, { headers: { Accept: "application/json" } });

  assert.deepEqual(
    functions.map(({ url }) => url),
    [`${gateway}/hello`, `${gateway}/bye`, `${gateway}/relay`],
  );
  assert.equal(hello.json().name, "hello");
  assert.deepEqual(bye.json(), { name: "bye", url: "/x" });
  assert.equal(relay.status, 200);
  await dev.next("log", ({ data }) => data.text === 'got {"a":1}');
  assert.equal(unknown.status, 404);
  assert.equal(unknown.text, "No function answers at /hallo. There are /hello, /bye, /relay.");
  assert.equal(json.json().code, "FF_FRONT_PATH_UNKNOWN");
});

test("another host is refused, unless it is allowed; a page of another site may not change anything", async (t) => {
  const { gateway, control } = await startProject(t, single(seen), ["--allowed-host=Dev.Example.com"]);
  const status = async (url: string, options: RequestOptions = {}) => (await request(url, options)).status;
  const [allowed, foreign] = ["dev.example.com:8080", "example.com"];
  const origin = { Origin: "https://example.com" };

  assert.equal(await status(gateway, { headers: { Host: foreign } }), 403);
  assert.equal(await status(gateway, { headers: { Host: allowed } }), 200);
  assert.equal(await status(gateway, { headers: { Host: "a.localhost" } }), 200);
  assert.equal(await status(gateway, { headers: origin }), 200);
  assert.equal(await status(gateway, { method: "POST", headers: origin }), 403);
  assert.equal(await status(gateway, { method: "POST", headers: { Origin: "http://localhost:5173" } }), 200);
  assert.equal(await status(`${control}/status`, { headers: { Host: allowed } }), 200);
  assert.equal(await status(`${control}/status`, { headers: { Host: foreign } }), 403);
});

const kills = Number(process.env.FRONT_KILLS ?? 4);

test("instances are killed under load: every GET is answered, and every POST that reached none", async (t) => {
  const { gateway, dev, row } = await startProject(
    t,
    single(`export const hello = (req, res) => setTimeout(() => res.send("hi " + process.pid), 5);`),
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  t.after(() => agent.destroy());
  let isOver = false;
  const replies: (Reply & { method: string })[] = [];
  const clients = Array.from({ length: 8 }, async (_, client) => {
    const method = client === 0 ? "POST" : "GET";
    while (!isOver) replies.push({ method, ...(await request(gateway, { method, agent })) });
  });

  for (let kill = 0; kill < kills; kill++) {
    const { instances } = await row("hello");
    const pid = instances[0]?.pid ?? 0;
    const before = replies.length;
    await untilAnswered(replies, before + 30); // it has answered, and is in the middle of others
    process.kill(pid, "SIGKILL");
    await until(() => dev.all("reload").length > kill, dev, "change", `reload ${kill + 1}`, 30_000);
  }
  isOver = true;
  await Promise.all(clients);

  const failed = replies.filter(({ status }) => status !== 200);
  t.diagnostic(
    `${replies.length} requests, ${kills} kills; failed: ${failed.map(({ method, status }) => `${method} ${status}`)}`,
  );
  assert.ok(failed.every(({ method }) => method === "POST"));
  assert.ok(failed.length <= 2 * kills, `${failed.length} failed`); // one client posts; its next may meet the dead, too
  for (const { status, text } of failed)
    assert.equal(`${status} ${text.split(" ")[0]}`, "502 FF_UPSTREAM_LOST");
  assert.equal(
    new Set(replies.map(({ text }) => text)).size,
    kills + 1 + new Set(failed.map(({ text }) => text)).size,
  );
  const { counters } = await row("hello");
  assert.ok(counters.requests >= replies.length);
  assert.equal(counters.crashes, kills);
});

async function untilAnswered(replies: readonly Reply[], count: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (replies.length < count) {
    assert.ok(Date.now() < deadline, `${count} answers`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("requests wait while a function starts again, in order, and a restart loses none", async (t) => {
  const { gateway, control, dev } = await startProject(t, single(seen));
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const statuses: number[] = [];
  let isOver = false;
  const clients = ["GET", "POST", "GET", "POST"].map(async (method) => {
    while (!isOver) statuses.push((await request(gateway, { method, agent })).status);
  });

  await fetch(`${control}/v1/functions/hello/restart`, { method: "POST" });
  await dev.next("reload");
  isOver = true;
  await Promise.all(clients);

  assert.deepEqual([...new Set(statuses)], [200]);
  assert.equal(dev.all("reload")[0]?.data.reason, "a restart that was asked for");
});

test("a request waits while dev starts", async (t) => {
  const port = await freePort();
  const module = `process.stdout.write(process.pid + "\\n");
    await new Promise((resolve) => process.once("SIGUSR2", resolve));
    ${seen}`;
  const dev = startDev(makeProject(t, single(module)), [...freePorts, `--port=${port}`]);
  t.after(() => dev.stop("SIGKILL"));
  const said = await dev.next("log");

  const reply = request(`http://127.0.0.1:${port}/`, { method: "POST", body: "early" });
  await once(await connected(port), "close"); // its connection is taken before this one, which was sent away
  const hasStarted = dev.all("ready").length > 0;
  process.kill(Number(said.data.text), "SIGUSR2");

  assert.equal((await reply).status, 200);
  assert.equal(hasStarted, false);
});

/** A connection that is refused something, and closed. */
async function connected(port: number) {
  const socket = connect(port, "127.0.0.1").end("no HTTP\r\n\r\n");
  socket.resume();
  await once(socket, "connect");
  return socket;
}

test("messages that come while a function restarts are all delivered", async (t) => {
  const { control, dev, functions } = await startProject(t, {
    "function.yaml": asyncFunctionYaml({ outputs: { "mqtt-out": "in" } }),
    "index.mjs": `export const relay = (ctx, data) => { console.log("got " + data); };`,
  });
  const send = (data: number) =>
    postJson(`${functions[0]?.sidecar}/v1.0/bindings/mqtt-out`, { operation: "create", data });
  const restarted = dev.next("reload");
  let isOver = false;
  void restarted.then(() => {
    isOver = true;
  });

  await postJson(`${control}/v1/functions/relay/restart`, undefined);
  let count = 0;
  while (!isOver) await send(count++);
  for (let more = 0; more < 5; more++) await send(count++);
  const texts = () => new Set(dev.all("log").map(({ data }) => data.text));
  await until(() => texts().size >= count, dev, "change", `${count} messages`);

  for (let data = 0; data < count; data++) assert.ok(texts().has(`got ${data}`));
});

test("a request that waits is counted, and answered when the function is there again", async (t) => {
  const { gateway, control, row } = await startProject(t, single(seen));
  const scale = (instances: number) => postJson(`${control}/v1/functions/hello/scale`, { instances });
  await scale(0);

  const waiting = request(gateway);
  let status = await row("hello");
  while (status.waiting === 0) status = await row("hello");
  await scale(1);
  const reply = await waiting;

  assert.equal(status.waiting, 1);
  assert.equal(reply.status, 200);
});

test("a crash loop is 503 with Retry-After at once, and says how the processes ended", async (t) => {
  const { gateway, control, dev } = await startProject(
    t,
    single(`import { existsSync, writeFileSync } from "node:fs";
      if (existsSync("broken")) process.exit(9);
      export const hello = (req, res) => { if (req.path !== "/break") return res.send("hi"); writeFileSync("broken", ""); process.exit(9); };`),
  );
  await request(`${gateway}/break`, { method: "POST" });
  await dev.next("error", ({ data }) => data.code === "FF_INSTANCE_CRASH_LOOP");

  const reply = await request(gateway);
  const { status } = await postJson(`${control}/v1/functions/hello/restart`, undefined);

  assert.equal(reply.status, 503);
  assert.ok(Number(reply.headers["retry-after"]) >= 1);
  assert.match(reply.text, /^FF_INSTANCE_CRASH_LOOP The function "hello" has ended 5 times.*exit code 9/);
  assert.equal(status, 202);
});

const echo = `let isOpen = false;
  export const hello = (req, res) => {
    const { server } = req.socket;
    if (!isOpen) server.on("upgrade", (_req, socket, first) => {
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n");
      if (first.length) socket.write(first);
      socket.on("data", (bytes) => socket.write(bytes));
      socket.on("end", () => socket.end());
      socket.on("error", () => {});
    });
    isOpen = true;
    res.send("open");
  };`;
const upgrade = (headers = "") =>
  `GET /hello/chat HTTP/1.1\r\nHost: localhost\r\n${headers}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`;

test("a connection that changes its protocol goes both ways, and counts as in flight until it ends", async (t) => {
  const { gateway, row } = await startProject(t, single(echo));
  await request(gateway);
  const client = openClient(t, Number(new URL(gateway).port));
  const foreign = openClient(t, Number(new URL(gateway).port));

  client.write(upgrade());
  await client.gets("101 Switching Protocols");
  client.write("ping");
  await client.gets("ping");
  const during = await row("hello");
  client.socket.end();
  await client.closed();
  foreign.write(upgrade("Origin: https://example.com\r\n"));
  await foreign.closed();
  let after = await row("hello");
  while (after.instances[0]?.inFlight !== 0) after = await row("hello");

  assert.equal(during.instances[0]?.inFlight, 1);
  assert.match(foreign.received, /^HTTP\/1\.1 403 /);
});

test("Expect: 100-continue is the function's to answer", async (t) => {
  const { gateway } = await startProject(
    t,
    single(`export const hello = (req, res) => res.send(String(req.rawBody?.length));`),
  );
  const req = openRequest(gateway, {
    method: "POST",
    headers: { Expect: "100-continue", "Content-Length": 5 },
  });
  req.flushHeaders();

  await once(req, "continue", { signal: AbortSignal.timeout(15_000) });
  req.end("hello");
  const [res] = await once(req, "response");
  let text = "";
  for await (const part of res) text += part;

  assert.equal(text, "5");
});

test("64 MiB go up and come back, and dev does not hold them", async (t) => {
  const size = 64 * 1024 * 1024;
  const { gateway, dev } = await startProject(t, {
    "function.yaml": functionYaml("hello", {
      runtime: "knative",
      params: { FUNCTION_TARGET: "hello", FF_BODY_MODE: "stream" },
    }),
    "index.mjs": `export const hello = (req, res) => { res.writeHead(200); req.pipe(res); };`,
  });
  const req = openRequest(gateway, { method: "POST" });
  const chunk = Buffer.alloc(256 * 1024, "x");
  let sent = 0;
  let isFull = false;
  const [[res]] = await Promise.all([once(req, "response"), Promise.resolve(req.write(chunk))]);
  sent += chunk.length;
  res.pause(); // the client does not read
  while (!isFull && sent < size) {
    if (req.write(chunk)) await new Promise((resolve) => setImmediate(resolve));
    else {
      const drained = once(req, "drain").then(() => true);
      isFull = !(await Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 500, false))]));
    }
    sent += chunk.length;
  }
  const held = sent;
  let received = 0;
  res.on("data", (part: Buffer) => {
    received += part.length;
  });
  res.resume();
  for (; sent < size; sent += chunk.length) if (!req.write(chunk)) await once(req, "drain");
  req.end();
  await once(res, "end");

  assert.equal(isFull, true);
  assert.ok(held < size / 2, `${held} bytes are on their way`);
  assert.equal(received, sent);
  assert.deepEqual(dev.all("error"), []);
});

test("a client that leaves aborts the signal of the function", async (t) => {
  const { gateway, dev, row } = await startProject(
    t,
    single(`export const hello = (req) => {
      console.log("called");
      return new Promise((resolve) => req.signal.addEventListener("abort", () => { console.log("aborted"); resolve("late"); }));
    };`),
  );
  const req = openRequest(gateway).end();
  req.on("error", () => undefined);
  await dev.next("log", ({ data }) => data.text === "called");

  req.destroy();
  await dev.next("log", ({ data }) => data.text === "aborted");

  let status = await row("hello");
  while (status.instances[0]?.inFlight !== 0) status = await row("hello");
  assert.equal(status.counters.errors, 0);
});

test("SIGTERM finishes what is under way, and refuses nobody with a broken connection", async (t) => {
  const { gateway, dev } = await startProject(
    t,
    single(
      `export const hello = async (req, res) => { console.log("begun"); await new Promise((r) => setTimeout(r, 500)); res.send("done"); };`,
    ),
  );
  const slow = request(gateway);
  await dev.next("log");

  const [code, reply] = await Promise.all([dev.stop(), slow]);

  assert.equal(reply.text, "done");
  assert.equal(reply.headers.connection, "close");
  assert.equal(code, 0);
});
