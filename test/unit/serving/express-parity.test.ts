import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import express from "express";

import type { HttpFunction, Request, Response } from "../../../src/functions/types";
import { createHandler } from "../../../src/serving/handler";
import { createFunctionServer } from "../../../src/serving/server";
import type { Target } from "../../../src/signatures/signature";
import { signatures } from "../../../src/signatures/table";
import { type Reply, type RequestOptions, request } from "../../e2e/support/http";

const folder = mkdtempSync(join(tmpdir(), "express-parity-"));
const file = join(folder, "page.html");
writeFileSync(file, "<p>a page</p>");
writeFileSync(join(folder, "hello.tmpl"), "Hello, NAME!");
utimesSync(file, 1_700_000_000, 1_700_000_000);
after(() => rmSync(folder, { recursive: true, force: true }));

interface Row {
  title: string;
  fn: (req: Request, res: Response) => unknown;
  path?: string;
  options?: RequestOptions;
}

const row = (title: string, fn: Row["fn"], path = "/", options: RequestOptions = {}): Row => ({
  title,
  fn: (req, res) => void fn(req, res),
  path,
  options,
});
const get = (headers: Record<string, string>): RequestOptions => ({ headers });
const asks = (title: string, question: (req: Request) => unknown, path?: string, options?: RequestOptions) =>
  row(title, (req, res) => res.json({ answer: question(req) ?? null }), path, options);

const forwarded = get({
  "X-Forwarded-For": "203.0.113.7, 10.0.0.1",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "shop.eu.example.com:8443",
});
const untrusting = (question: (req: Request) => unknown) => (req: Request, res: Response) => {
  req.app.set("trust proxy", false);
  res.json({ answer: question(req) });
};

const responses: Row[] = [
  row("send a text", (_req, res) => res.send("text")),
  row("send a text with characters of several bytes", (_req, res) => res.send("grüße, 世界")),
  row("send an object", (_req, res) => res.send({ a: 1 })),
  row("send bytes", (_req, res) => res.send(Buffer.from("bytes"))),
  row("send a number", (_req, res) => (res.send as (body: unknown) => unknown)(201)),
  row("send true", (_req, res) => res.send(true)),
  row("send nothing", (_req, res) => res.send()),
  row("send an empty text", (_req, res) => res.send("")),
  row("send null", (_req, res) => res.send(null)),
  row("end", (_req, res) => res.end()),
  row("end with a text", (_req, res) => res.end("text")),
  row("json", (_req, res) => res.json({ a: [1, null, "ü"] })),
  row("json null", (_req, res) => res.json(null)),
  row("status and json", (_req, res) => res.status(404).json({ missing: true })),
  row("status and send", (_req, res) => res.status(201).send("made")),
  row("sendStatus", (_req, res) => res.sendStatus(202)),
  row("sendStatus that nobody knows", (_req, res) => res.sendStatus(499)),
  row("204 drops the body", (_req, res) => res.status(204).send("dropped")),
  row("205 drops the body", (_req, res) => res.status(205).send("dropped")),
  row("304 drops the body", (_req, res) => res.status(304).send("dropped")),
  row("redirect", (_req, res) => res.redirect("/else where")),
  row(
    "redirect as JSON client",
    (_req, res) => res.redirect("/else"),
    "/",
    get({ Accept: "application/json" }),
  ),
  row("redirect as browser", (_req, res) => res.redirect("/a?b=<c>"), "/", get({ Accept: "text/html" })),
  row("redirect with status", (_req, res) => res.redirect(308, "https://example.com/ü")),
  row("location", (_req, res) => res.location("/else").status(201).end()),
  row("links", (_req, res) => res.links({ next: "/2", last: "/9" }).end()),
  row("cookie", (_req, res) => res.cookie("a", "b c", { httpOnly: true, path: "/x", sameSite: "lax" }).end()),
  row("cookie of an object", (_req, res) => res.cookie("a", { b: 1 }).cookie("c", "d").end()),
  row("clearCookie", (_req, res) => res.clearCookie("a", { path: "/x" }).end()),
  row("type", (_req, res) => res.type("json").send("{}")),
  row("type of an unknown ending", (_req, res) => res.type("unknown/thing").send("x")),
  row("type without charset and a text", (_req, res) => res.set("Content-Type", "text/plain").send("text")),
  row("type with another charset", (_req, res) =>
    res.set("Content-Type", "text/plain; charset=latin1").send("ü"),
  ),
  row("type and bytes", (_req, res) => res.type("png").send(Buffer.from("image"))),
  row("set, get, append, vary", (_req, res) => {
    res.set({ "X-One": "1", "X-Two": "2" }).append("X-One", "again").vary("Accept").vary("Origin");
    res.set("X-Read", String(res.get("x-two"))).removeHeader("X-Two");
    res.send("text");
  }),
  row("a header with several values", (_req, res) => res.set("X-Many", ["a", "b"]).end()),
  row("jsonp", (_req, res) => res.jsonp({ a: "\u2028" }), "/?callback=show"),
  row("jsonp without callback", (_req, res) => res.jsonp({ a: 1 })),
  ...["text/html", "application/json;q=0.9, text/plain;q=0.1", "*/*", "image/png"].map((accept) =>
    row(
      `format for ${accept}`,
      (_req, res) =>
        res.format({
          text: () => res.send("text"),
          html: () => res.send("<p>"),
          json: () => res.json({ a: 1 }),
          default: () => res.status(406).send("nothing suits"),
        }),
      "/",
      get({ Accept: accept }),
    ),
  ),
  row("attachment", (_req, res) => res.attachment("größe.csv").send("a;b")),
  row("sendFile", (_req, res) => res.sendFile(file)),
  row("sendFile from a root", (_req, res) => res.sendFile("page.html", { root: folder, maxAge: 1000 })),
  row("sendFile, part of it", (_req, res) => res.sendFile(file), "/", get({ Range: "bytes=3-8" })),
  row(
    "sendFile, a part that is not there",
    (_req, res) => res.sendFile(file, () => res.end()),
    "/",
    get({ Range: "bytes=99-" }),
  ),
  row(
    "sendFile that is still fresh",
    (_req, res) => res.sendFile(file),
    "/",
    get({ "If-Modified-Since": "Tue, 14 Nov 2023 22:13:20 GMT" }),
  ),
  row("sendFile that is missing, with a callback", (_req, res) =>
    res.sendFile(join(folder, "missing"), (err) => res.status(410).send((err as NodeJS.ErrnoException).code)),
  ),
  row("download", (_req, res) => res.download(file, "seite.html")),
  row("HEAD and a text", (_req, res) => res.send("text"), "/", { method: "HEAD" }),
  row("HEAD and json", (_req, res) => res.json({ a: 1 }), "/", { method: "HEAD" }),
  row("HEAD and sendFile", (_req, res) => res.sendFile(file), "/", { method: "HEAD" }),
  row(
    "no ETag by itself, but any version matches *",
    (_req, res) => res.send("text"),
    "/",
    get({ "If-None-Match": "*" }),
  ),
  row(
    "own ETag that matches",
    (_req, res) => res.set("ETag", '"1"').send("text"),
    "/",
    get({ "If-None-Match": '"1"' }),
  ),
  row(
    "own ETag that differs",
    (_req, res) => res.set("ETag", '"1"').send("text"),
    "/",
    get({ "If-None-Match": '"2"' }),
  ),
  row(
    "not modified since",
    (_req, res) => res.set("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT").send("text"),
    "/",
    get({ "If-Modified-Since": "Tue, 14 Nov 2023 22:13:20 GMT" }),
  ),
  row("a fresh POST is not 304", (_req, res) => res.send("text"), "/", {
    method: "POST",
    headers: { "If-None-Match": "*" },
  }),
  row("ETag switched on", (req, res) => {
    req.app.enable("etag");
    res.send("text");
  }),
  row("ETag switched on for json", (req, res) => {
    req.app.set("etag", "strong");
    res.json({ a: 1 });
  }),
  row("streamed", (_req, res) => {
    res.write("one ");
    setImmediate(() => res.end("two"));
  }),
  row("piped", (_req, res) => Readable.from(["one ", "two"]).pipe(res)),
  row("flushed early", (_req, res) => {
    res.status(203).set("X-Early", "yes").flushHeaders();
    setImmediate(() => res.end("late"));
  }),
  row("early hints", (_req, res) =>
    res.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => res.send("text")),
  ),
  row("writeHead", (_req, res) => res.writeHead(418, "Teapot", { "X-Pot": "tea" }).end("short")),
  row("trailers", (_req, res) => {
    res.set("Trailer", "X-Sum");
    res.write("text");
    res.addTrailers({ "X-Sum": "1" });
    res.end();
  }),
  row("json settings of the app", (req, res) => {
    req.app.set("json spaces", 2).set("json escape", true);
    res.json({ a: "<b>" });
  }),
  row("render with an engine of one's own", (req, res) => {
    req.app.engine(
      "tmpl",
      (
        path: string,
        options: { name?: string; greeting?: string },
        done: (err: null, text: string) => void,
      ) => done(null, `${path.slice(folder.length)} for ${options.name}, ${options.greeting}`),
    );
    req.app.set("views", folder).set("view engine", "tmpl").locals.greeting = "welcome";
    res.locals.name = "local";
    res.render("hello");
  }),
  row("render with options and a callback", (req, res) => {
    req.app.set("views", folder);
    req.app.engine(
      "tmpl",
      (_path: string, options: { name?: string }, done: (err: null, text: string) => void) =>
        done(null, String(options.name)),
    );
    res.render("hello.tmpl", { name: "you" }, (_err, text) => res.send(`rendered: ${text}`));
  }),
];

const requests: Row[] = [
  row("what a template engine reads of the settings", (req, res) => {
    req.app.engine(
      "tmpl",
      (
        _path: string,
        { settings, cache }: { settings?: Record<string, unknown>; cache?: boolean },
        done: (err: null, text: string) => void,
      ) => done(null, JSON.stringify([settings?.views, settings?.["view engine"] ?? null, cache ?? null])),
    );
    req.app.set("views", folder);
    res.render("hello.tmpl");
  }),
  asks("the folder of the views", (req) => [req.app.get("views"), Object.keys(req.app.locals)]),
  asks("query", (req) => req.query, "/?a=1&b=x%20y&a=2&c[d]=3&e=&f"),
  asks("query that is read twice is one object", (req) => req.query.a, "/?a=1"),
  asks(
    "query with the extended parser",
    (req) => req.app.set("query parser", "extended") && req.query,
    "/?a[b]=1",
  ),
  asks(
    "url, originalUrl, path, baseUrl",
    (req) => [req.url, req.originalUrl, req.path, req.baseUrl],
    "//a//b%2Fc/?d=1",
  ),
  asks("method and params", (req) => [req.method, req.params], "/", { method: "PATCH" }),
  ...["PUT", "DELETE", "OPTIONS", "TRACE", "PURGE", "PROPFIND"].map((method) =>
    asks(`method ${method}`, (req) => [req.method, req.path], "/any/path", { method }),
  ),
  asks("ip and ips", (req) => [req.ip, req.ips]),
  asks("ip and ips behind proxies", (req) => [req.ip, req.ips], "/", forwarded),
  asks(
    "host, hostname, subdomains",
    (req) => [req.host, req.hostname, req.subdomains],
    "/",
    get({ Host: "a.b.example.com:81" }),
  ),
  asks(
    "host, hostname, subdomains behind proxies",
    (req) => [req.host, req.hostname, req.subdomains],
    "/",
    forwarded,
  ),
  asks("hostname of an IPv6 address", (req) => [req.host, req.hostname], "/", get({ Host: "[::1]:80" })),
  asks(
    "subdomain offset",
    (req) => req.app.set("subdomain offset", 1) && req.subdomains,
    "/",
    get({ Host: "a.localhost" }),
  ),
  asks("protocol and secure", (req) => [req.protocol, req.secure]),
  asks("protocol and secure behind proxies", (req) => [req.protocol, req.secure], "/", forwarded),
  row(
    "trust proxy switched off",
    untrusting((req) => [req.ip, req.ips, req.host, req.protocol, req.secure]),
    "/",
    {
      headers: { ...forwarded.headers, Host: "a.example.com" },
    },
  ),
  row(
    "trust proxy by hops",
    (req, res) => {
      req.app.set("trust proxy", 1);
      res.json([req.ip, req.ips]);
    },
    "/",
    forwarded,
  ),
  asks("xhr", (req) => req.xhr, "/", get({ "X-Requested-With": "XMLHttpRequest" })),
  asks(
    "get and header",
    (req) => [req.get("x-own"), req.header("X-Own"), req.get("Referrer")],
    "/",
    get({ "X-Own": "1", Referer: "r" }),
  ),
  asks(
    "accepts",
    (req) => [req.accepts("html"), req.accepts(["json", "text"]), req.accepts("png"), req.accepts()],
    "/",
    get({ Accept: "text/*;q=.5, application/json" }),
  ),
  asks(
    "acceptsEncodings, -Charsets, -Languages",
    (req) => [
      req.acceptsEncodings("gzip", "br"),
      req.acceptsCharsets("utf-8"),
      req.acceptsLanguages("de", "en"),
    ],
    "/",
    get({ "Accept-Encoding": "br;q=0.5, gzip", "Accept-Language": "en" }),
  ),
  asks("is", (req) => [req.is("json"), req.is("html"), req.is("application/*")], "/", {
    method: "POST",
    headers: { "Content-Type": "application/json; charset=utf-8" },
    body: "{}",
  }),
  asks("is without a body", (req) => req.is("json")),
  asks("range", (req) => [req.range(100), req.range(10)], "/", get({ Range: "bytes=0-4,20-30" })),
  asks("fresh and stale", (req) => [req.fresh, req.stale], "/", get({ "If-None-Match": "*" })),
  asks("fresh and stale of a client without a copy", (req) => [req.fresh, req.stale]),
  asks(
    "httpVersion, headers, rawHeaders",
    (req) => [req.httpVersion, req.headers["x-a"], req.rawHeaders.includes("X-A")],
    "/",
    get({ "X-A": "1" }),
  ),
  asks("the links between request, response and app", (req) => {
    const res = req.res as Response;
    return [res.req === req, req.app === res.app, typeof req.next, typeof req.app.get, typeof req.app.locals];
  }),
  asks("settings", (req) => {
    const { app } = req;
    app.enable("one").set("two", 2).disable("three");
    return [
      app.get("one"),
      app.get("two"),
      app.enabled("one"),
      app.disabled("three"),
      app.enabled("nothing"),
      app.get("env"),
    ];
  }),
  asks("settings the frameworks share", (req) =>
    ["etag", "x-powered-by", "trust proxy", "query parser"].map((name) => [name, req.app.get(name) ?? null]),
  ),
  row("locals", (req, res) => {
    req.app.locals.shared = "by all";
    res.locals.own = "of this response";
    res.json([req.app.locals.shared, res.locals, Object.getPrototypeOf(res.locals)]);
  }),
];

for (const { title, fn, path = "/", options } of [...responses, ...requests]) {
  test(`as under Express: ${title}`, async (t) => {
    const [ours, theirs] = await Promise.all([listen(ourServer(fn)), listen(theirServer(fn))]);
    t.after(() => Promise.all([close(ours), close(theirs)]));

    const [our, their] = await Promise.all([
      request(addressOf(ours) + path, withHost(options)),
      request(addressOf(theirs) + path, withHost(options)),
    ]);

    assert.deepEqual(comparable(our), comparable(their));
    assert.ok(their.status < 500, `the row itself is well: ${their.text}`);
  });
}

test("a missing file is 404 in one line that does not tell where it was looked for", async (t) => {
  const server = await listen(ourServer((_req, res) => res.sendFile(join(folder, "missing"))));
  t.after(() => close(server));

  const reply = await request(addressOf(server));

  assert.equal(reply.status, 404);
  assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(reply.headers["x-google-status"], undefined);
  assert.equal(reply.text, "Not Found");
});

test("every request has its own locals, params and body", async (t) => {
  const seen: object[] = [];
  const server = await listen(
    ourServer((req, res) => {
      seen.push(res.locals, req.params);
      res.json([res.locals.before ?? null, (req.params as { before?: string }).before ?? null]);
      res.locals.before = "x";
      (req.params as { before?: string }).before = "x";
    }),
  );
  t.after(() => close(server));

  const replies = [await request(addressOf(server)), await request(addressOf(server))];

  assert.deepEqual(
    replies.map((reply) => reply.json()),
    [
      [null, null],
      [null, null],
    ],
  );
  assert.equal(new Set(seen).size, 4);
});

function ourServer(fn: Row["fn"]): Server {
  const target = {
    name: "parity",
    function: fn as HttpFunction,
    hooks: [],
    production: false,
  } as unknown as Target;
  const limits = { bodyLimit: 1000, bodyMode: "parse", timeout: 0 } as const;
  return createFunctionServer({ handle: createHandler({ target, signature: signatures.http, limits }) })
    .server;
}

function theirServer(fn: Row["fn"]): Server {
  const app = express()
    .set("etag", false)
    .set("x-powered-by", false)
    .set("trust proxy", true)
    .set("query parser", "simple")
    .use((req, res) => void fn(req as Request, res));
  return app.listen(0, "127.0.0.1");
}

async function listen(server: Server): Promise<Server> {
  if (!server.listening) await once(server.listening ? server : server.listen(0, "127.0.0.1"), "listening");
  return server;
}

async function close(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

// The two ports differ, so that the name must be the same where a row does not choose one.
function withHost(options: RequestOptions = {}): RequestOptions {
  return { ...options, headers: { Host: "parity.example.com", ...options.headers } };
}

function comparable({ status, statusText, rawHeaders, text }: Reply) {
  const headers = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index] !== "Date") headers.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  }
  return { status, statusText, headers, text };
}

test("after an answer its headers can be read, as a logger does", async (t) => {
  for (const before of [{}, { "X-Own": "1" }]) {
    const told: unknown[] = [];
    const server = await listen(
      ourServer((_req, res) => {
        res.set(before).send("text");
        told.push(res.get("content-length"), res.getHeader("Content-Type"), res.hasHeader("CONTENT-LENGTH"));
        told.push(res.getHeaderNames().sort(), res.getHeaders()["content-type"], res.get("X-Own"));
      }),
    );
    t.after(() => close(server));

    await request(addressOf(server));

    const own = Object.keys(before).map((name) => name.toLowerCase());
    const type = "text/html; charset=utf-8";
    assert.deepEqual(told.slice(1), [
      type,
      true,
      ["content-length", "content-type", ...own],
      type,
      own.length ? "1" : undefined,
    ]);
    assert.equal(Number(told[0]), 4);
  }
});
