/** Several functions in one process: which one a request is for, and what it sees of its path. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { type Framework, startFramework } from "./support/framework";
import { postJson, request } from "./support/http";
import { makeUserProject, runScript, startScript } from "./support/modules";
import { createProject, linkPackage, type Project } from "./support/projects";

const start = `
  const functions = require("@openfunction/functions-framework");
  const seen = (name) => (req, res) => {
    const { url, baseUrl, originalUrl, path, params, query, method } = req;
    res.json({ name, url, baseUrl, originalUrl, path, params, query, method });
  };`;
const serveAll = `functions.serve("*").catch((err) => { console.error(err.code, err.message); process.exit(1); });`;

const module = `${start}
  functions.http("hello", seen("hello"));
  functions.http("hell", seen("hell"));
  functions.http("user", { path: "/users/:id" }, seen("user"));
  functions.http("me", { path: "/users/me" }, seen("me"));
  functions.http("post", { path: "/things", methods: ["post", "PUT"] }, seen("post"));
  functions.http("get", { path: "/things", methods: ["GET"] }, seen("get"));
  functions.http("file", { path: "/files/*path" }, seen("file"));
  functions.http("optional", { path: "/maybe{/:rest}" }, seen("optional"));
  functions.http("rest", { path: "/*any", methods: ["PURGE"] }, seen("rest"));
  functions.cloudEvent("stored", { path: "/events" }, (event) => ({ name: "stored", id: event.id }));
  functions.cloudEvent("event", (event) => ({ name: "event", id: event.id }));
  functions.typed("typed", { path: "/typed/in" }, (request) => ({ name: "typed", request }));
  functions.openfunction("handle", (ctx, data) => ({ name: "handle", data, url: ctx.req.url }));
  ${serveAll}`;

describe("several functions", () => {
  let project: Project;
  let all: Framework;
  before(async () => {
    project = await createProject({ "index.js": module });
    await linkPackage(project.folder);
    all = await startFramework(["index.js"], {
      project: project.folder,
      env: { PORT: "0" },
      command: process.execPath,
    });
  });
  after(async () => {
    await all.stop();
    await project.remove();
  });

  test("the banner names them all, and their signatures", () => {
    assert.match(all.stdout, /^Function: hello, hell, user, me, .+, handle$/m);
    assert.match(all.stdout, /^Signature type: http, cloudevent, typed, openfunction$/m);
  });

  const mounted = (name: string, originalUrl: string, url: string, path = url) => ({
    name,
    baseUrl: `/${name}`,
    originalUrl,
    url,
    path,
  });
  const whole = (name: string, url: string, params: object, path = url) => ({
    name,
    baseUrl: "",
    originalUrl: url,
    url,
    path,
    params,
  });

  const rows: [method: string, path: string, expected: Record<string, unknown>][] = [
    ["GET", "/hello", mounted("hello", "/hello", "/")],
    ["GET", "/hello/", mounted("hello", "/hello/", "/")],
    [
      "GET",
      "/hello/a/b?q=1",
      { ...mounted("hello", "/hello/a/b?q=1", "/a/b?q=1", "/a/b"), query: { q: "1" } },
    ],
    ["GET", "/hello?q=1", { ...mounted("hello", "/hello?q=1", "/?q=1", "/"), query: { q: "1" } }],
    ["GET", "/hello//x", mounted("hello", "/hello//x", "//x")],
    ["DELETE", "/hello/a%20b", mounted("hello", "/hello/a%20b", "/a%20b")],
    ["GET", "/hell", mounted("hell", "/hell", "/")],
    ["GET", "/users/7", whole("user", "/users/7", { id: "7" })],
    ["GET", "/users/a%20b?x=1", whole("user", "/users/a%20b?x=1", { id: "a b" }, "/users/a%20b")],
    ["GET", "/users/7/", whole("user", "/users/7/", { id: "7" })],
    ["GET", "/USERS/7", whole("user", "/USERS/7", { id: "7" })],
    ["GET", "/users/me", whole("me", "/users/me", {})],
    ["POST", "/things", whole("post", "/things", {})],
    ["PUT", "/things", whole("post", "/things", {})],
    ["GET", "/things", whole("get", "/things", {})],
    ["GET", "/files/a/b.txt", whole("file", "/files/a/b.txt", { path: ["a", "b.txt"] })],
    ["GET", "/maybe", whole("optional", "/maybe", {})],
    ["GET", "/maybe/so", whole("optional", "/maybe/so", { rest: "so" })],
    ["PURGE", "/what/ever", whole("rest", "/what/ever", { any: ["what", "ever"] })],
    ["PURGE", "/things", whole("rest", "/things", { any: ["things"] })],
    ["PURGE", "/hello/x", mounted("hello", "/hello/x", "/x")],
  ];

  for (const [method, path, expected] of rows) {
    test(`${method} ${path} is for ${expected.name}`, async () => {
      const reply = await request(all.url + path, { method });

      const json = reply.json();
      const told = Object.fromEntries(Object.keys(expected).map((name) => [name, json[name]]));
      assert.deepEqual([reply.status, told, json.method], [200, expected, method]);
    });
  }

  test("HEAD comes with GET", async () => {
    const head = await request(`${all.url}/things`, { method: "HEAD" });

    assert.deepEqual([head.status, head.text], [200, ""]);
    assert.ok(Number(head.headers["content-length"]) > 0);
  });

  for (const [method, path, allow] of [
    ["PATCH", "/things", "POST, PUT, GET, HEAD, PURGE"],
    ["GET", "/events", "POST, PURGE"],
    ["GET", "/event", "POST, PURGE"],
    ["GET", "/handle/x", "POST, PURGE"],
    ["GET", "/nowhere", "PURGE"],
  ]) {
    test(`${method} ${path} is 405, and Allow names what would be answered`, async () => {
      const { status, headers } = await request(all.url + path, { method });

      assert.equal(status, 405);
      assert.deepEqual(headers.allow?.split(", ").sort(), allow?.split(", ").sort());
      assert.equal(headers["x-google-status"], undefined);
    });
  }

  test("each has its own signature", async () => {
    const attributes = { "ce-id": "7", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };
    for (const [path, expected] of [
      ["/events", { name: "stored", id: "7" }],
      ["/event/any/thing", { name: "event", id: "7" }],
      ["/typed/in", { name: "typed", request: { a: 1 } }],
      ["/handle/x?y=1", { name: "handle", data: { a: 1 }, url: "/x?y=1" }],
    ] as const)
      assert.deepEqual((await postJson(all.url + path, { a: 1 }, attributes)).json(), expected);
  });

  test("no path is ignored beside functions of other signatures", async () => {
    assert.equal((await request(`${all.url}/favicon.ico`)).status, 405);
  });
});

test("what no function answers is 404, one line of text", async (t) => {
  const script = await startScript(
    t,
    `${start} functions.http("a", seen("a")); functions.http("b", { path: "/b" }, seen("b")); ${serveAll}`,
  );

  for (const path of ["/", "/A", "/ab", "/b/c", "/nowhere?x=1", "//a"]) {
    const { status, text, headers } = await request(script.url + path);
    assert.deepEqual([path, status, text], [path, 404, `Cannot GET ${path.split("?")[0]}`]);
    assert.equal(headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(headers["x-google-status"], undefined);
  }
  assert.deepEqual((await request(`${script.url}/favicon.ico`)).text, "");
});

test("one function with a path answers nothing else; without one it has every path", async (t) => {
  const withPath = await startScript(
    t,
    `${start} functions.http("a", { path: "/a/:id" }, seen("a")); ${serveAll}`,
  );
  const without = await startScript(t, `${start} functions.http("a", seen("a")); ${serveAll}`);

  assert.deepEqual((await request(`${withPath.url}/a/1`)).json().params, { id: "1" });
  assert.equal((await request(`${withPath.url}/b`)).status, 404);
  const reply = (await request(`${without.url}/any/thing`)).json();
  assert.deepEqual([reply.url, reply.baseUrl], ["/any/thing", ""]);
});

test("one function with methods alone has every path", async (t) => {
  const script = await startScript(
    t,
    `${start} functions.http("a", { methods: ["get"] }, seen("a")); ${serveAll}`,
  );

  assert.equal((await request(`${script.url}/any`)).json().path, "/any");
  const refused = await request(`${script.url}/any`, { method: "POST" });
  assert.deepEqual([refused.status, refused.headers.allow], [405, "GET, HEAD"]);
});

test("a list of names serves those alone, in its order", async (t) => {
  const script = await startScript(
    t,
    `${start} for (const name of ["a", "b", "c"]) functions.http(name, seen(name)); functions.serve(["c", "a"]);`,
  );

  assert.match(script.stdout, /^Function: c, a$/m);
  assert.equal((await request(`${script.url}/c`)).json().name, "c");
  assert.equal((await request(`${script.url}/b`)).status, 404);
});

describe("conflicts at the start", { concurrency: 3 }, () => {
  const one = (name: string, options: string) => `functions.http("${name}", ${options}, seen("${name}"));`;
  const conflicts: [what: string, source: string, says: RegExp | undefined][] = [
    [
      "one path twice",
      one("a", `{ path: "/x" }`) + one("b", `{ path: "/x" }`),
      /"a" and "b" both answer requests \/x/,
    ],
    [
      "names of parameters differ",
      one("a", `{ path: "/x/:id" }`) + one("b", `{ path: "/x/:name/" }`),
      /both answer requests/,
    ],
    ["case differs", one("a", `{ path: "/x" }`) + one("b", `{ path: "/X" }`), /both answer/],
    ["a path and a name", one("a", `{ path: "/b" }`) + one("b", "{}"), /both answer/],
    [
      "one method in common",
      one("a", `{ path: "/x", methods: ["GET", "PUT"] }`) + one("b", `{ path: "/x", methods: ["PUT"] }`),
      /both answer PUT \/x/,
    ],
    [
      "all methods and some",
      one("a", `{ path: "/x" }`) + one("b", `{ path: "/x", methods: ["PUT"] }`),
      /both answer PUT \/x/,
    ],
    [
      "HEAD beside GET",
      one("a", `{ path: "/x", methods: ["HEAD"] }`) + one("b", `{ path: "/x", methods: ["GET"] }`),
      /both answer HEAD \/x/,
    ],
    [
      "GET beside HEAD",
      one("a", `{ path: "/x", methods: ["GET"] }`) + one("b", `{ path: "/x", methods: ["HEAD"] }`),
      /both answer HEAD \/x/,
    ],
    [
      "POST-only signatures",
      `functions.typed("a", { path: "/x" }, () => 1); functions.cloudEvent("b", { path: "/x" }, () => 1);`,
      /both answer POST \/x/,
    ],
    [
      "a pattern that is none",
      one("a", `{ path: "/x/(a)" }`),
      /"a" cannot be served: its path "\/x\/\(a\)" is not understood/,
    ],
    [
      "methods differ",
      one("a", `{ path: "/x", methods: ["GET"] }`) + one("b", `{ path: "/x", methods: ["PUT"] }`),
      undefined,
    ],
    [
      "a parameter and a fixed path",
      one("a", `{ path: "/x/:id" }`) + one("b", `{ path: "/x/y" }`),
      undefined,
    ],
  ];

  for (const [what, source, says] of conflicts) {
    test(`${what} ${says ? "is refused" : "is no conflict"}`, async (t) => {
      const end = says
        ? ""
        : " process.once('SIGUSR2', () => {}); setImmediate(() => process.kill(process.pid, 'SIGTERM'));";
      const { code, stderr } = await runScript(
        t,
        `${start} ${source} functions.serve("*").then(() => {${end}}, (err) => { console.error(err.code, err.message); process.exitCode = 1; });`,
      );

      assert.equal(code, says ? 1 : 0, stderr);
      if (says) assert.match(stderr, says);
      if (says) assert.match(stderr, /FF_FUNCTION_(?:ROUTES|OPTIONS)/);
      else assert.equal(stderr, "");
    });
  }

  for (const [options, says] of [
    ["5", "its options are no object"],
    ["null", "its options are no object"],
    ["{ pth: '/x' }", 'there is no option "pth"'],
    ["{ path: 'x' }", 'its path must begin with "/"'],
    ["{ path: 5 }", 'its path must begin with "/"'],
    ["{ methods: 'GET' }", "its methods must be a list"],
    ["{ methods: [] }", "its methods must be a list"],
    ["{ methods: ['FETCH'] }", '"FETCH" is no HTTP method'],
  ] as const) {
    test(`options that are wrong are refused where they are registered: ${options}`, async (t) => {
      const { code, stderr } = await runScript(
        t,
        `${start}
        try { functions.http("a", ${options}, seen("a")); }
        catch (err) { console.error(err.code, err.message, err.place.line); process.exitCode = 1; }`,
      );

      assert.equal(code, 1);
      assert.ok(stderr.startsWith("FF_FUNCTION_OPTIONS") && stderr.includes(says), stderr);
      assert.match(stderr, / 7\n$/);
    });
  }

  test("methods are for http functions alone", async (t) => {
    const { stderr } = await runScript(t, `${start} functions.typed("a", { methods: ["GET"] }, () => 1);`);

    assert.match(stderr, /a typed function is called by POST alone/);
  });
});

const peers = join(__dirname, "../peers/node_modules");
const hasExpress4 = existsSync(join(peers, "express4"));

for (const [version, name] of [
  [4, "express4"],
  [5, "express"],
] as const) {
  const skip = version === 4 && !hasExpress4 && "test/peers is not installed";
  test(`an application and a router of Express ${version} among other functions`, { skip }, async (t) => {
    const source = `${start}
      const express = require("${name}");
      const nested = express.Router();
      nested.get("/:id", (req, res) => res.json([req.params.id, req.url, req.baseUrl, req.originalUrl]));
      const app = express();
      app.use(express.json());
      app.use("/nested", nested);
      app.post("/json", (req, res) => res.json(req.body));
      app.get("/plain", (req, res) => res.send("plain"));
      const tagged = express().set("etag", "strong");
      tagged.get("/", (req, res) => res.send("tagged"));
      functions.http("shop", app);
      functions.http("tagged", tagged);
      functions.http("router", nested);
      ${serveAll}`;
    const folder = await makeUserProject(t, { "index.js": source });
    if (version === 4) await symlink(join(peers, "express4"), join(folder, "node_modules/express4"));
    const script = await startFramework(["index.js"], {
      project: folder,
      env: { PORT: "0" },
      command: process.execPath,
    });
    t.after(() => script.stop());

    assert.deepEqual((await request(`${script.url}/shop/nested/7?x=1`)).json(), [
      "7",
      "/7?x=1",
      "/shop/nested",
      "/shop/nested/7?x=1",
    ]);
    assert.deepEqual((await request(`${script.url}/router/7`)).json(), ["7", "/7", "/router", "/router/7"]);
    assert.deepEqual((await postJson(`${script.url}/shop/json`, { a: 1 })).json(), { a: 1 });
    const plain = await request(`${script.url}/shop/plain`);
    assert.equal(plain.text, "plain");
    for (const header of ["etag", "x-powered-by"]) assert.equal(plain.headers[header], undefined);
    const tagged = await request(`${script.url}/tagged`);
    assert.match(tagged.headers.etag ?? "", /^"/);
    assert.equal(tagged.headers["x-powered-by"], undefined);
    const missing = await request(`${script.url}/shop/nowhere`);
    assert.deepEqual([missing.status, missing.headers["content-type"]], [404, "text/plain; charset=utf-8"]);
  });
}
