/** The control server: who is answered, what a row of the table can answer, and the end. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";

import type { ControlRoute } from "../../../src/control/routes";
import { startControl } from "../../../src/control/server";
import { frameworkError } from "../../../src/core/errors";
import { deferred, withDeadline } from "../../support/wait";

const port = { port: 0, explicit: false, flag: "--control" };

const routes: ControlRoute[] = [
  { method: "GET", path: "/things", answer: ({ query }) => ({ body: { query: [...query] } }) },
  { method: "POST", path: "/things", answer: ({ body }) => ({ body: { body } }) },
  { method: "GET", path: "/things/:name/parts/:part", answer: ({ params }) => ({ body: params }) },
  { method: "POST", path: "/begin", answer: () => ({ status: 202 }) },
  { method: "GET", path: "/busy", answer: () => ({ status: 503, body: { status: "busy" } }) },
  {
    method: "GET",
    path: "/known",
    answer() {
      throw frameworkError("FF_INSTANCE_SCALE", { function: "f", instances: 2, max: 1 });
    },
  },
  { method: "GET", path: "/numbers", answer: () => ({ lines: numbers() }) },
  {
    method: "GET",
    path: "/broken",
    async answer() {
      throw new TypeError("a mistake");
    },
  },
];

async function* numbers() {
  for (const n of [1, 2, 3]) yield { n };
}

async function start(t: TestContext, table: readonly ControlRoute[] = routes) {
  const control = await startControl({ routes: table, port });
  t.after(() => control.stop());
  return control;
}

interface Wish {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  agent?: Agent;
}

/** Not fetch: that lets nobody choose the Host. */
async function open(url: string, { method = "GET", headers = {}, body, agent }: Wish = {}) {
  const req = request(url, { method, headers, ...(agent && { agent }) });
  req.end(body);
  const [res] = (await once(req, "response", { signal: AbortSignal.timeout(15_000) })) as [IncomingMessage];
  return res;
}

async function ask(url: string, wish?: Wish) {
  const res = await open(url, wish);
  return { status: res.statusCode, headers: res.headers, text: await text(res) };
}

const json = { "Content-Type": "application/json" };
const foreignOrigin = { Origin: "https://example.com" };

const calls: [what: string, path: string, wish: Wish, status: number, answer: unknown][] = [
  ["a value", "/things?a=1&b", {}, 200, { query: [["a", "1"], ["b", ""]] }], // biome-ignore format: one row a call
  ["names of the path, decoded", "/things/a%2Fb/parts/c", {}, 200, { name: "a/b", part: "c" }],
  ["a status alone", "/begin", { method: "POST" }, 202, ""],
  ["a value with a status", "/busy", {}, 503, { status: "busy" }],
  ["JSON", "/things", { method: "POST", headers: json, body: '{"n":1}' }, 200, { body: { n: 1 } }],
  [
    "JSON with a charset",
    "/things",
    { method: "POST", headers: { "Content-Type": "application/json; charset=utf-8" }, body: "[1]" },
    200,
    { body: [1] },
  ],
  ["no body", "/things", { method: "POST" }, 200, {}],
  [
    "no body, whatever it is called",
    "/things",
    { method: "POST", headers: { "Content-Type": "text/plain" } },
    200,
    {},
  ],
  ["localhost", "/things", { headers: { Host: "localhost:1" } }, 200, { query: [] }],
  ["a name below localhost", "/things", { headers: { Host: "dev.localhost" } }, 200, { query: [] }],
  ["an IPv6 loopback", "/things", { headers: { Host: "[::1]:80" } }, 200, { query: [] }],
  ["a page of this machine", "/things", { headers: { Origin: "http://localhost:5173" } }, 200, { query: [] }],
  ["another Host", "/things", { headers: { Host: "example.com" } }, 403, "FF_HOST_REFUSED"],
  [
    "a Host that looks like ours",
    "/things",
    { headers: { Host: "127.0.0.1.example.com" } },
    403,
    "FF_HOST_REFUSED",
  ],
  [
    "another Host on an unknown path",
    "/nothing",
    { headers: { Host: "example.com" } },
    403,
    "FF_HOST_REFUSED",
  ],
  ["a foreign page that reads", "/things", { headers: foreignOrigin }, 403, "FF_ORIGIN_REFUSED"],
  [
    "a foreign page that acts",
    "/begin",
    { method: "POST", headers: foreignOrigin },
    403,
    "FF_ORIGIN_REFUSED",
  ],
  [
    "a page without a site",
    "/begin",
    { method: "POST", headers: { Origin: "null" } },
    403,
    "FF_ORIGIN_REFUSED",
  ],
  ["a preflight", "/begin", { method: "OPTIONS", headers: foreignOrigin }, 403, "FF_ORIGIN_REFUSED"],
  [
    "a form",
    "/things",
    { method: "POST", headers: { "Content-Type": "application/x-www-form-urlencoded" }, body: "a=1" },
    415,
    "FF_BODY_UNSUPPORTED",
  ],
  [
    "JSON as text",
    "/things",
    { method: "POST", headers: { "Content-Type": "text/plain" }, body: "{}" },
    415,
    "FF_BODY_UNSUPPORTED",
  ],
  ["a body without a type", "/things", { method: "POST", body: "{}" }, 415, "FF_BODY_UNSUPPORTED"],
  ["broken JSON", "/things", { method: "POST", headers: json, body: "{" }, 400, "FF_BODY_MALFORMED"],
  [
    "a body over 1 MiB",
    "/things",
    { method: "POST", headers: json, body: Buffer.alloc(1024 ** 2 + 1, " ") },
    413,
    "FF_BODY_TOO_LARGE",
  ],
  ["an unknown path", "/nothing", {}, 404, "FF_PATH_NOT_FOUND"],
  ["a path with a slash more", "/things/", {}, 404, "FF_PATH_NOT_FOUND"],
  ["an empty name", "/things//parts/c", {}, 404, "FF_PATH_NOT_FOUND"],
  ["an error of a route", "/known", {}, 422, "FF_INSTANCE_SCALE"],
  ["a mistake of ours", "/broken", {}, 500, "FF_INTERNAL_ERROR"],
];

for (const [what, path, wish, status, answer] of calls) {
  test(`${what}: ${status}`, async (t) => {
    const { url } = await start(t);

    const reply = await ask(url + path, wish);

    assert.equal(reply.status, status);
    if (answer === "") return assert.equal(reply.text, "");
    assert.equal(reply.headers["content-type"], "application/json");
    assert.equal(reply.headers["x-content-type-options"], "nosniff");
    const value = JSON.parse(reply.text);
    if (typeof answer !== "string") return assert.deepEqual(value, answer);
    assert.deepEqual(Object.keys(value), ["error", "code"]);
    assert.equal(value.code, answer);
  });
}

test("a method that a path does not have is 405 with those that it has", async (t) => {
  const { url } = await start(t);

  const both = await ask(`${url}/things`, { method: "DELETE" });
  const one = await ask(`${url}/begin`);

  assert.deepEqual([both.status, both.headers.allow], [405, "GET, HEAD, POST"]);
  assert.deepEqual([one.status, one.headers.allow], [405, "POST"]);
  assert.equal(JSON.parse(one.text).code, "FF_METHOD_NOT_ALLOWED");
});

test("HEAD has the head of GET", async (t) => {
  const { url } = await start(t);

  const [head, get] = [await ask(`${url}/things`, { method: "HEAD" }), await ask(`${url}/things`)];
  const lines = await ask(`${url}/numbers`, { method: "HEAD" });

  assert.deepEqual([head.status, head.text], [200, ""]);
  assert.equal(head.headers["content-length"], get.headers["content-length"]);
  assert.deepEqual([lines.status, lines.text], [200, ""]);
  assert.equal(lines.headers["content-type"], "application/x-ndjson");
});

test("a connection is kept, after a refused body too", async (t) => {
  const { url } = await start(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const large = Buffer.alloc(3 * 1024 ** 2, " ");

  const first = await open(`${url}/things`, { method: "POST", headers: json, body: large, agent });
  const { localPort } = first.socket;
  first.resume();
  await once(first, "end");
  const second = await open(`${url}/things`, { agent });
  const samePort = second.socket.localPort === localPort;
  second.resume();

  assert.equal(first.statusCode, 413);
  assert.equal(second.statusCode, 200);
  assert.ok(samePort);
});

test("lines come as NDJSON", async (t) => {
  const { url } = await start(t);

  const reply = await ask(`${url}/numbers`);

  assert.equal(reply.headers["content-type"], "application/x-ndjson");
  assert.equal(reply.text, '{"n":1}\n{"n":2}\n{"n":3}\n');
});

/** A route that tells one line and then waits for the end of its signal. */
function following() {
  const ended = deferred();
  async function* lines(signal: AbortSignal) {
    yield { n: 1 };
    if (!signal.aborted) await once(signal, "abort");
    ended.resolve();
    yield { n: "last" };
  }
  const route: ControlRoute = {
    method: "GET",
    path: "/follow",
    answer: ({ signal }) => ({ lines: lines(signal) }),
  };
  return { route, ended: ended.promise };
}

test("a stop ends those who follow, with their last lines, and may be called twice", async (t) => {
  const { route } = following();
  const control = await start(t, [route]);
  const res = await open(`${control.url}/follow`);

  const read = text(res);
  await withDeadline(Promise.all([control.stop(), control.stop()]), "the stop");

  assert.equal(await read, '{"n":1}\n{"n":"last"}\n');
  await assert.rejects(ask(`${control.url}/follow`, { agent: new Agent() }), /ECONNREFUSED/);
});

test("a client that goes ends what it follows", async (t) => {
  const { route, ended } = following();
  const { url } = await start(t, [route]);
  const res = await open(`${url}/follow`);

  res.destroy();

  await withDeadline(ended, "the end of the lines");
});

test("a client that reads nothing holds up no stop, and gets no more than it has room for", async (t) => {
  let told = 0;
  const endless: ControlRoute = {
    method: "GET",
    path: "/endless",
    answer: ({ signal }) => ({
      lines: (async function* () {
        for (; !signal.aborted; told++) yield { text: "x".repeat(64 * 1024) };
      })(),
    }),
  };
  const control = await start(t, [endless]);
  const res = await open(`${control.url}/endless`);
  res.pause();

  let before = -1;
  while (before !== told) {
    before = told;
    await ask(`${control.url}/nothing`); // a round trip, in which more would have been told
  }
  res.on("error", () => undefined); // it is cut
  await withDeadline(control.stop(), "the stop");

  assert.ok(told < 1_000, String(told));
});

test("a client that goes ends all that it follows on one connection", async (t) => {
  const started = [deferred(), deferred()];
  const ended = [deferred(), deferred()];
  async function* lines(signal: AbortSignal, index: number) {
    started[index]?.resolve();
    if (!signal.aborted) await once(signal, "abort");
    ended[index]?.resolve();
    yield {};
  }
  const { url } = await start(t, [
    {
      method: "GET",
      path: "/follow/:index",
      answer: ({ signal, params: { index } }) => ({ lines: lines(signal, Number(index)) }),
    },
  ]);
  const client = connect(Number(new URL(url).port), "127.0.0.1");

  client.write([0, 1].map((index) => `GET /follow/${index} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(""));
  for (const { promise } of started) await withDeadline(promise, "both are followed");
  client.destroy();

  for (const { promise } of ended) await withDeadline(promise, "both have ended");
});
