/** Requests to a function over leases of its instances. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, request as openRequest } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type TestContext, test } from "node:test";

import { type FrameworkError, frameworkError } from "../../src/core/errors";
import { createProxy, type ProxyOptions } from "../../src/gateway/proxy/proxy";
import { createInstancesUpstream } from "../../src/gateway/upstream/instances";
import type { Lease, LeaseResult } from "../../src/instances/leases";
import { deferred, until } from "../support/wait";

import { ask, nobody, openClient, startEcho, startRawUpstream, startUpstream } from "./support/hop";
import { type Reply, request } from "./support/http";

type Chance = string | FrameworkError | Promise<string>;

/** A server whose requests are for "hello"; its leases are given one after the other. */
async function startInstances(t: TestContext, chances: Chance[], options: ProxyOptions = {}) {
  const news = new EventEmitter().setMaxListeners(0);
  const signals: AbortSignal[] = [];
  const released: Omit<LeaseResult, "ms">[] = [];
  async function acquire(
    name: string,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Lease> {
    assert.equal(name, "hello");
    if (signal) signals.push(signal);
    news.emit("news");
    const chance = chances.length > 1 ? chances.shift() : chances[0];
    if (chance === undefined) throw new Error("no lease is prepared");
    if (typeof chance === "object" && "code" in chance) throw chance;
    const address = await chance;
    return {
      address,
      instance: address,
      release({ ms, ...result }) {
        assert.ok(ms >= 0);
        released.push(result);
        news.emit("news");
      },
    };
  }
  const proxy = createProxy(options);
  const instances = createInstancesUpstream({ supervisor: { acquire }, proxy });
  const target = { function: "hello" };
  const server = createServer((req, res) => instances.forward(req, res, target));
  server.on("checkContinue", (req, res) => instances.forward(req, res, target));
  server.on("upgrade", (req, socket, first) => instances.upgrade(req, socket as Socket, first, target));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    proxy.destroy();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    signals,
    released,
    asked: (count: number) =>
      until(() => signals.length >= count, news, "news", `${count} leases are asked for`),
    givenBack: (count: number) =>
      until(() => released.length >= count, news, "news", `${count} leases are given back`),
  };
}

/** An upstream that closes every connection as soon as it has read a head. */
const startDying = (t: TestContext) =>
  startRawUpstream(t, (socket, received) => {
    if (received.includes("\r\n\r\n")) socket.destroy();
  });

const hello = (t: TestContext) => startUpstream(t, (_req, res) => res.end("hi"));

test("a request takes a lease, and gives it back with what became of it", async (t) => {
  const address = await startUpstream(t, (req, res) => {
    res.statusCode = req.url === "/fail" ? 500 : req.url === "/missing" ? 404 : 200;
    res.end("hi");
  });
  const { url, released, givenBack } = await startInstances(t, [address]);

  const replies: Reply[] = [];
  for (const path of ["", "missing", "fail"]) replies.push(await request(url + path));
  await givenBack(3);

  assert.deepEqual(
    replies.map(({ status, text }) => [status, text]),
    [
      [200, "hi"],
      [404, "hi"],
      [500, "hi"],
    ],
  );
  assert.deepEqual(released, [
    { ok: true, hasAnswer: true },
    { ok: true, hasAnswer: true },
    { ok: false, hasAnswer: true },
  ]);
});

const loadFailure = { code: "FF_LOAD_SYNTAX", message: "A bracket is missing.", place: "index.mjs:3:1" };
const refusals: [error: FrameworkError, retryAfter: string, secret: RegExp | undefined][] = [
  [
    frameworkError("FF_INSTANCE_QUEUE_FULL", { function: "hello", limit: 9 }, { retryAfter: 1 }),
    "1",
    undefined,
  ],
  [
    frameworkError("FF_INSTANCE_QUEUE_TIMEOUT", { function: "hello", seconds: 30 }, { retryAfter: 7 }),
    "7",
    undefined,
  ],
  [
    frameworkError(
      "FF_INSTANCE_CRASH_LOOP",
      { function: "hello", deaths: 5 },
      { retryAfter: 30, cause: { code: "FF_INSTANCE_EXITED", message: "It ended with exit code 9." } },
    ),
    "30",
    /exit code 9/,
  ],
  [
    frameworkError(
      "FF_INSTANCE_LOAD_FAILED",
      { function: "hello", code: "FF_LOAD_SYNTAX" },
      { retryAfter: 30, cause: loadFailure },
    ),
    "30",
    /index\.mjs:3:1 A bracket is missing/,
  ],
];
for (const [error, retryAfter, secret] of refusals) {
  test(`${error.code} is 503 with Retry-After; the reason is for clients of this machine`, async (t) => {
    const { url } = await startInstances(t, [error]);

    const near = await request(url);
    const far = await request(url, { headers: { "X-Forwarded-For": "192.0.2.1" } });
    const json = await request(url, { headers: { Accept: "application/json" } });
    const post = await request(url, { method: "POST", body: "x".repeat(100_000) });

    for (const reply of [near, far, json, post]) {
      assert.equal(reply.status, 503);
      assert.equal(reply.headers["retry-after"], retryAfter);
      assert.match(reply.text, new RegExp(error.code));
      assert.match(reply.text, /\\?"hello\\?"/);
    }
    assert.equal(json.json().code, error.code);
    if (!secret) return;
    assert.match(near.text, secret);
    assert.doesNotMatch(far.text, secret);
  });
}

for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) {
  test(`${method} whose instance dies before it answers goes to another one`, async (t) => {
    const dying = await startDying(t);
    const body = method === "PUT" ? "kept" : undefined;
    const address = await startUpstream(t, async (req, res) => {
      let text = "";
      for await (const part of req) text += part;
      res.end(`again ${text}`);
    });
    const { url, released, givenBack } = await startInstances(t, [dying.address, address]);

    const reply = await request(url, { method, body });
    await givenBack(2);

    assert.equal(reply.status, 200);
    if (method !== "HEAD") assert.equal(reply.text, `again ${body ?? ""}`);
    assert.deepEqual(released, [
      { ok: false, isUnreachable: false },
      { ok: true, hasAnswer: true },
    ]);
  });
}

test("GET is tried once more, not twice", async (t) => {
  const dying = await startDying(t);
  const { url, signals } = await startInstances(t, [dying.address]);

  const near = await request(url);
  const far = await request(url, { headers: { Forwarded: "for=192.0.2.1" } });

  assert.equal(near.status, 502);
  assert.equal(signals.length, 4);
  assert.match(near.text, /^FF_UPSTREAM_LOST Bad Gateway, for function "hello"\. .*127\.0\.0\.1/);
  assert.equal(far.text, 'FF_UPSTREAM_LOST Bad Gateway, for function "hello".');
});

test("POST that was sent is 502 when its instance dies, and nobody else gets it", async (t) => {
  const dying = await startDying(t);
  const { url, signals, released, givenBack } = await startInstances(t, [dying.address, await hello(t)]);

  const reply = await request(url, { method: "POST", body: "once" });
  await givenBack(1);

  assert.equal(reply.status, 502);
  assert.equal(signals.length, 1);
  assert.deepEqual(released, [{ ok: false, hasAnswer: false }]);
});

test("POST that reached nobody goes to another instance, and the place of the one that is gone is told", async (t) => {
  const chances = [await nobody(), `unix:/nowhere/${process.pid}.sock`, await hello(t)];
  const { url, released, givenBack } = await startInstances(t, chances);

  const reply = await request(url, { method: "POST", body: "x".repeat(300_000) });
  await givenBack(3);

  assert.equal(reply.text, "hi");
  assert.deepEqual(released, [
    { ok: false, isUnreachable: true },
    { ok: false, isUnreachable: true },
    { ok: true, hasAnswer: true },
  ]);
});

test("a request that reaches nobody again and again is 502", async (t) => {
  const { url, signals } = await startInstances(t, [await nobody()]);

  const reply = await request(url);

  assert.equal(reply.status, 502);
  assert.equal(signals.length, 6);
});

test("another try that finds no instance is answered why", async (t) => {
  const dying = await startDying(t);
  const error = frameworkError(
    "FF_INSTANCE_CRASH_LOOP",
    { function: "hello", deaths: 5 },
    { retryAfter: 30 },
  );
  const { url } = await startInstances(t, [dying.address, error]);

  const reply = await request(url);

  assert.equal(reply.status, 503);
  assert.equal(reply.headers["retry-after"], "30");
  assert.match(reply.text, /FF_INSTANCE_CRASH_LOOP/);
});

test("an instance that does not begin to answer in time is 504, and its request is aborted", async (t) => {
  const aborted = deferred();
  const address = await startUpstream(t, (_req, res) => res.on("close", () => aborted.resolve()));
  const { url, released, givenBack } = await startInstances(t, [address], { timeout: 100 });

  const reply = await request(url);
  await aborted.promise;
  await givenBack(1);

  assert.equal(reply.status, 504);
  assert.match(reply.text, /^FF_UPSTREAM_TIMEOUT Gateway Timeout, for function "hello"/);
  assert.deepEqual(released, [{ ok: false, hasAnswer: false }]);
});

test("a client that leaves while it waits takes its wish back; a lease that comes all the same is given back", async (t) => {
  const chance = deferred<string>();
  const { url, asked, givenBack, signals, released } = await startInstances(t, [chance.promise]);
  const req = openRequest(url).end();
  req.on("error", () => undefined);
  await asked(1);

  req.destroy();
  await once(signals[0] as AbortSignal, "abort");
  chance.resolve("tcp:127.0.0.1:1");
  await givenBack(1);

  assert.deepEqual(released, [{ ok: true, hasAnswer: false }]);
});

test("a client that leaves before the answer says nothing about the instance", async (t) => {
  const called = deferred();
  const aborted = deferred();
  const address = await startUpstream(t, (_req, res) => {
    called.resolve();
    res.on("close", () => aborted.resolve());
  });
  const { url, givenBack, released } = await startInstances(t, [address]);
  const req = openRequest(url).end();
  req.on("error", () => undefined);
  await called.promise;

  req.destroy();
  await aborted.promise;
  await givenBack(1);

  assert.deepEqual(released, [{ ok: true, hasAnswer: false }]);
});

test("Expect: 100-continue that is refused: no 100, and the connection ends", async (t) => {
  const error = frameworkError("FF_INSTANCE_QUEUE_FULL", { function: "hello", limit: 9 }, { retryAfter: 1 });
  const { port } = await startInstances(t, [error]);

  const text = await ask(
    t,
    port,
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
  );

  assert.match(text, /^HTTP\/1\.1 503 /);
  assert.match(text, /Connection: close/i);
});

const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

test("a connection that changes its protocol holds its lease until it is closed", async (t) => {
  const chance = deferred<string>();
  const { port, asked, released, givenBack } = await startInstances(t, [chance.promise]);
  const upstream = await startRawUpstream(t, (socket, received) => {
    if (received.endsWith("\r\n\r\n"))
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    else socket.write("pong");
  });
  const client = openClient(t, port);

  client.write(`${upgrade}`);
  await asked(1);
  chance.resolve(upstream.address); // it has waited
  await client.gets("101 Switching Protocols");
  client.write("ping");
  await client.gets("pong");
  const heldBack = released.length;
  client.socket.end();
  await givenBack(1);

  assert.equal(heldBack, 0);
  assert.deepEqual(released, [{ ok: true, hasAnswer: true }]);
});

test("a change of protocol that finds no instance is 503; one whose client leaves while it waits asks no more", async (t) => {
  const error = frameworkError("FF_INSTANCE_QUEUE_FULL", { function: "hello", limit: 9 }, { retryAfter: 1 });
  const refusing = await startInstances(t, [error]);
  const waiting = await startInstances(t, [new Promise<string>(() => undefined)]);

  const text = await ask(t, refusing.port, upgrade);
  const client = openClient(t, waiting.port);
  client.write(upgrade);
  await waiting.asked(1);
  client.socket.destroy();
  await once(waiting.signals[0] as AbortSignal, "abort");

  assert.match(text, /^HTTP\/1\.1 503 .*Retry-After: 1.*FF_INSTANCE_QUEUE_FULL/s);
});

test("a request that cannot be passed on is the client's fault", async (t) => {
  const echo = await startEcho(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const { port, signals } = await startInstances(t, [echo.address]);

  const text = await ask(t, port, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");

  assert.match(text, /^HTTP\/1\.1 400 /);
  assert.equal(signals.length, 0);
});

test("what is malformed does not wait for an instance, and nothing that follows it is passed on", async (t) => {
  const instance = deferred<string>();
  const { port, signals, asked } = await startInstances(t, [instance.promise]);
  const client = openClient(t, port);
  const next = "GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n";

  client.write(
    `GET / HTTP/1.1\r\nHost: localhost\r\n\r\n` +
      `POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n${next}${next}`,
  );
  await asked(1);
  instance.resolve(await hello(t));
  await client.closed();

  assert.deepEqual(client.received.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 501"]);
  assert.equal(signals.length, 1);
});

test("a change of protocol that waits behind a request gives its lease back when the client leaves", async (t) => {
  const { address, gets } = await startRawUpstream(t, () => undefined);
  const { port, released, signals, givenBack } = await startInstances(t, [address]);
  const client = openClient(t, port);

  client.write(
    "GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n" +
      "GET /second HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  await gets("/first");
  client.socket.destroy();
  await givenBack(1);

  assert.deepEqual([signals.length, released.length], [1, 1]);
});
