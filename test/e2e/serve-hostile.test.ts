/** What functions throw and do that nobody would expect: each is answered or cut, and the process lives. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { makeProject } from "../support/project";
import { type Framework, startFramework } from "./support/framework";
import { converse, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

const module = `
  const revoked = () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; };
  const cases = {
    proxy() { throw new Proxy({}, { get() { throw new Error("even its text throws"); }, has() { throw new Error("and this"); } }); },
    revoked() { throw revoked(); },
    rejected() { return Promise.reject(revoked()); },
    bare() { throw Object.create(null); },
    symbol() { throw Symbol("s"); },
    stack() { throw Object.assign(new Error("odd stack"), { stack: 5 }); },
    getter(req, res) { return { get x() { throw new Error("in a getter"); } }; },
    thenable(req, res) { return { then() { throw new Error("in then"); } }; },
    timer(req, res) { setTimeout(() => { throw revoked(); }, 1); },
    broken(req, res) { res.end = null; res.send("x"); },
    fine(req, res) { res.send("fine"); },
  };
  exports.hostile = (req, res) => cases[req.path.slice(1)](req, res);`;

test("hostile functions do not take the process with them", async (t) => {
  const framework = await startFramework(["--target=hostile"], {
    project: makeProject(t, { "index.js": module }),
  });
  t.after(() => framework.stop());
  const ask = async (path: string) => (await request(`${framework.url}/${path}`)).status;

  for (const path of [
    "proxy",
    "revoked",
    "rejected",
    "bare",
    "symbol",
    "stack",
    "getter",
    "thenable",
    "timer",
  ]) {
    assert.equal(await ask(path), 500, path);
  }
  await assert.rejects(ask("broken"), /ECONNRESET|socket hang up/);

  assert.equal(await ask("fine"), 200);
});

test("a whole URL in place of a path is read, and one that is none is 400 and not the function's failure", async (t) => {
  const framework = await startFramework(["--target=path"], {
    project: makeProject(t, { "index.js": "exports.path = (req, res) => res.send(req.path);" }),
  });
  t.after(() => framework.stop());
  const ask = (url: string) =>
    converse(framework.port, `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);

  for (const url of ["http://[::1/x", "http://a:99999/", "http://a%@b/"])
    assert.match(await ask(url), /^HTTP\/1\.1 400 [\s\S]*is not a valid URL\.$/, url);
  assert.match(await ask("http://example.com/a/b?c"), /^HTTP\/1\.1 200 [\s\S]*\/a\/b$/);
  assert.match(await ask("*"), /^HTTP\/1\.1 200 /);
  assert.equal(framework.stderr, "");
});

test("a log line with what has no JSON form is written, not thrown", async (t) => {
  const source = `exports.hello = (ctx, data) => { const cycle = {}; cycle.self = cycle; ctx.log.info("odd", { big: 1n, cycle }); };`;
  const framework = await startFramework(["--target=hello", "--signature-type=openfunction"], {
    project: makeProject(t, { "index.js": source }),
  });
  t.after(() => framework.stop());

  const { status } = await request(framework.url, { method: "POST" });
  await framework.says("[Circular");

  assert.equal(status, 204);
});

test("a content encoding that is no encoding is 415, whatever its name", async (t) => {
  const framework = await startFramework(["--target=hostile"], {
    project: makeProject(t, { "index.js": module }),
  });
  t.after(() => framework.stop());

  for (const encoding of ["constructor", "__proto__", "toString", "zstd"]) {
    const options = { method: "POST", body: "x", headers: { "Content-Encoding": encoding } };
    assert.equal((await request(`${framework.url}/fine`, options)).status, 415, encoding);
  }
});

test("compressed bodies that would fill the memory are refused, and leave nothing behind", async (t) => {
  const project = makeProject(t, {
    "index.js": "exports.rss = (req, res) => res.json(process.memoryUsage().rss);",
  });
  const framework = await startFramework(["--target=rss"], { project, env: { FF_BODY_LIMIT: "1mb" } });
  t.after(() => framework.stop());
  const body = gzipSync(Buffer.alloc(200 * 1024 ** 2));
  const before = (await request(framework.url)).json();

  for (let round = 0; round < 10; round++) {
    const reply = await request(framework.url, {
      method: "POST",
      body,
      headers: { "Content-Encoding": "gzip" },
    });
    assert.equal(reply.status, 413);
  }

  const after = (await request(framework.url)).json();
  assert.ok(after - before < 300 * 1024 ** 2, `${before} → ${after}`);
});

test("a reader of the output that goes away does not end or block the function", async (t) => {
  const project = makeProject(t, {
    "index.js": "exports.fails = () => { throw new Error('told to nobody'); };",
  });
  const framework = await startFramework(["--target=fails"], { project });
  t.after(() => framework.stop());

  framework.closeOutput();
  const statuses = [];
  for (let count = 0; count < 3; count++) statuses.push((await request(framework.url)).status);
  framework.kill("SIGTERM");

  assert.deepEqual(statuses, [500, 500, 500]);
  assert.equal((await framework.ended()).code, 0);
});

test("a client that pipelines and goes away gives back all the places it took", async (t) => {
  const source = `
    let gone = 0;
    exports.hold = (req, res) => {
      if (req.path === "/quick") return res.send("quick");
      console.log("holding " + req.path);
      req.signal.addEventListener("abort", () => console.log("gone: " + ++gone));
    };`;
  const framework = await startFramework(["--target=hold", "--max-concurrency=2"], {
    project: makeProject(t, { "index.js": source }),
  });
  t.after(() => framework.stop());

  for (const round of [1, 2]) {
    const socket = connect(framework.port, "127.0.0.1");
    socket.write(`GET /a${round} HTTP/1.1\r\nHost: x\r\n\r\nGET /b${round} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await framework.says(`holding /b${round}`);
    socket.destroy();
    await framework.says(`gone: ${round * 2}`);
  }

  assert.equal((await request(`${framework.url}/quick`)).status, 200);
});

test("a whole URL is the path that it names for functions, probes, metrics, ignored routes and deliveries", async (t) => {
  const source = `
    const functions = require("@openfunction/functions-framework");
    functions.http("mounted", (req) => ({ url: req.url, path: req.path, baseUrl: req.baseUrl }));
    functions.http("user", { path: "/users/:id" }, (req) => ({ id: req.params.id }));
    functions.openfunction("handle", () => "delivered");`;
  const reserved = ["--health", "--metrics"];
  const several = await startModule(t, source, ["--target=mounted,user", ...reserved]);
  const deliveries = await startModule(t, source, ["--target=handle", ...reserved], { env: asyncContext() });
  const ask = async ({ port }: Framework, url: string, method = "GET") => {
    const head = `${method} ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    const [, status, text] =
      /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(await converse(port, head)) ?? [];
    return [Number(status), text];
  };

  const mounted = (url: string, path: string) => [200, JSON.stringify({ url, path, baseUrl: "/mounted" })];
  assert.deepEqual(await ask(several, "http://x/mounted/a?b=1"), mounted("http://x/a?b=1", "/a"));
  assert.deepEqual(await ask(several, "HTTPS://x:1/mounted"), mounted("HTTPS://x:1/", "/"));
  assert.deepEqual(await ask(several, "http://x/users/7?b"), [200, '{"id":"7"}']);
  assert.deepEqual(await ask(several, "http://x?b"), [404, "Cannot GET /"]);
  assert.deepEqual(await ask(several, "http://x/favicon.ico?v=1"), [404, ""]);
  assert.deepEqual(await ask(deliveries, "http://x/healthz"), [200, "OK"]);
  assert.deepEqual(await ask(deliveries, "http://x/queue?a", "POST"), [200, "delivered"]);
  assert.equal((await ask(deliveries, "http://x/dapr/subscribe"))[0], 200);
  for (const framework of [several, deliveries]) {
    assert.deepEqual(await ask(framework, "http://x/health/liveness?probe"), [200, "OK"]);
    assert.equal((await ask(framework, "http://x/metrics"))[0], 200);
  }
});

test("a body whose length stands behind a thousand other fields is read", async (t) => {
  const { port } = await startModule(t, "exports.f = (req, res) => res.send(req.body);", ["--target=f"]);
  const fields = `${"a: b\r\n".repeat(1_100)}Content-Type: text/plain\r\nContent-Length: 5`;

  const reply = await converse(
    port,
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n\r\nhello`,
  );

  assert.match(reply, /^HTTP\/1\.1 200 [\s\S]*hello$/);
});
