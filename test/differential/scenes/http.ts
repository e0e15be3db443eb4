/** Requests to http functions, and what they answer: spec §5 and §6. */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

import type { Exchange } from "../support/exchange";
import { json, paths, production, type Scene } from "./scene";

const posted = (
  type: string | undefined,
  body: Exchange["body"],
  headers: Exchange["headers"] = {},
): Exchange => ({
  method: "POST",
  headers: { ...(type !== undefined && { "Content-Type": type }), ...headers },
  ...(body !== undefined && { body }),
});
const encoded = (encoding: string, body: Buffer) =>
  posted("application/json", body, { "Content-Encoding": encoding });
const form = "application/x-www-form-urlencoded";

const bodies: Record<string, Exchange> = {
  "no body": {},
  "JSON object": json({ a: [1], ü: "ß" }),
  "JSON array": json([1, 2]),
  "JSON with charset": posted("application/json; charset=utf-8", '{"a":"ü"}'),
  "JSON in capitals": posted("Application/JSON", "{}"),
  "JSON, utf-16": posted("application/json; charset=utf-16le", Buffer.from('{"a":"ü"}', "utf16le")),
  "JSON with blanks around": posted("application/json", ' \n {"a":1} \n'),
  "JSON with __proto__": posted("application/json", '{"__proto__":{"polluted":true}}'),
  "JSON, empty": posted("application/json", ""),
  "JSON, chunked": posted("application/json", ['{"a"', ":1}"]),
  "JSON, chunked and empty": posted("application/json", []),
  "JSON number": json(5),
  "JSON null": json(null),
  "JSON string": json("str"),
  "JSON, malformed": posted("application/json", '{"a":'),
  "JSON, latin1": posted("application/json; charset=latin1", "{}"),
  "JSON, iso-8859-1": posted("application/json; charset=iso-8859-1", "{}"),
  "structured CloudEvent": posted("application/cloudevents+json", '{"id":"1"}'),
  "CloudEvents batch": posted("application/cloudevents-batch+json", "[]"),
  "vendor JSON": posted("application/vnd.x+json", "{}"),
  text: posted("text/plain", "größe"),
  "text with charset": posted("text/plain; charset=iso-8859-1", Buffer.from("größe", "latin1")),
  "text, empty": posted("text/plain", ""),
  html: posted("text/html", "<p>"),
  csv: posted("text/csv", "a,b"),
  xml: posted("application/xml", "<a/>"),
  multipart: posted("multipart/form-data; boundary=x", "--x--"),
  bytes: posted("application/octet-stream", Buffer.from([0, 255, 10])),
  form: posted(form, "a=1&b%5Bc%5D=1&d[]=1&d[]=2&e[1]=x&%C3%BC=%C3%9F"),
  "form, empty": posted(form, ""),
  "form with __proto__": posted(form, "__proto__[polluted]=1&a[__proto__][polluted]=1"),
  "form, 1001 parameters": posted(form, `${"a=1&".repeat(1000)}b=2`),
  "no content type": posted(undefined, "bare"),
  "content type that is none": posted("nonsense", "bare"),
  "empty content type": posted("", "bare"),
  gzip: encoded("gzip", gzipSync('{"a":1}')),
  deflate: encoded("deflate", deflateSync('{"a":1}')),
  br: encoded("br", brotliCompressSync('{"a":1}')),
  "gzip in capitals": encoded("GZIP", gzipSync("{}")),
  identity: encoded("identity", Buffer.from("{}")),
  "gzip, corrupt": encoded("gzip", Buffer.from("no gzip")),
  "gzip, cut": encoded("gzip", gzipSync('{"a":1}').subarray(0, 15)),
  "unknown encoding": encoded("x-unknown", Buffer.from("{}")),
  zstd: encoded("zstd", Buffer.from("{}")),
  "GET with a body": { ...json({ a: 1 }), method: "GET" },
  "DELETE with a body": { ...json({ a: 1 }), method: "DELETE" },
  "TRACE with a body": { ...json({ a: 1 }), method: "TRACE" },
};

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "PURGE", "PROPFIND"];

const conditional = { "If-None-Match": "*" };
const since = { "If-Modified-Since": "Fri, 01 Jan 2038 00:00:00 GMT" };

const requests: Record<string, Exchange> = {
  ...Object.fromEntries(methods.map((method) => [method, { method, path: "/a" }])),
  "double slashes": { path: "//a///b//" },
  "encoded characters": { path: "/%C3%BC/a%2Fb%20c" },
  "malformed percent": { path: "/%zz" },
  "malformed percent in the query": { path: "/?a=%zz" },
  "nested query": { path: "/?y[z]=2&a=1&a=2&b" },
  "query with __proto__": { path: "/?__proto__=1&constructor=2" },
  forwarded: {
    headers: {
      "X-Forwarded-For": "203.0.113.7, 198.51.100.1",
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "a.public.example:8443",
    },
  },
  "own headers": {
    headers: {
      "X-Own": ["1", "2"],
      Referrer: "/from",
      Cookie: ["a=1", "b=2"],
      "X-Requested-With": "XMLHttpRequest",
    },
  },
  accepts: { headers: { Accept: "text/html", "Accept-Encoding": "gzip", "Accept-Language": "en" } },
  "execution id": { headers: { "Function-Execution-Id": "given", "X-Cloud-Trace-Context": "abc/123;o=1" } },
  "favicon.ico": { path: "/favicon.ico" },
  "robots.txt below": { method: "POST", path: "/ROBOTS.txt/x?y" },
  "favicon.ico elsewhere": { path: "/x/favicon.ico" },
  "favicon.icon": { path: "/favicon.icon" },
  "favicon.ico with a broken body": { ...posted("application/json", "{"), path: "/favicon.ico" },
  "HTTP/1.0": { raw: "GET /send HTTP/1.0\r\n\r\n" },
  "no host": { raw: "GET /send HTTP/1.1\r\n\r\n" },
  "keep-alive, then close": {
    raw: "GET /send HTTP/1.1\r\nHost: a\r\n\r\nGET /json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  },
  "absolute URL": { raw: "GET http://other.example/a?b=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" },
  "expects to continue": {
    raw: "POST /send HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
  },
  "expects something else": {
    raw: "GET /send HTTP/1.1\r\nHost: a\r\nExpect: much\r\nConnection: close\r\n\r\n",
  },
  "not HTTP": { raw: "nonsense\r\n\r\n" },
  "headers of 17 KiB": { raw: `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${"x".repeat(17 * 1024)}\r\n\r\n` },
};

const responses = paths([
  ...["send", "send-object", "send-buffer", "send-number", "send-true", "send-null", "send-nothing"],
  ...["send-unicode", "send-empty", "end", "end-text", "json", "json-null", "jsonp", "jsonp?callback=a.b"],
  ...[
    "status",
    "send-status",
    "no-content",
    "not-modified",
    "reset-content",
    "redirect",
    "redirect-301",
    "location",
  ],
  ...["cookies", "headers", "attachment", "format", "own-etag", "own-length", "charset-kept", "send-file"],
  ...["send-file-missing", "send-file-above", "download", "stream", "written-in-parts", "server-sent-events"],
  ...["early-hints", "write-head", "trailers", "locals", "settings", "next", "next-error", "next-status"],
]);

const variants: Record<string, Exchange> = {
  ...named("HEAD", ["send", "send-object", "json", "stream", "send-file", "end", "redirect"], {
    method: "HEAD",
  }),
  ...named("If-None-Match", ["send", "send-object", "send-buffer", "own-etag", "status"], {
    headers: conditional,
  }),
  ...named("If-Modified-Since", ["send", "send-file"], { headers: since }),
  ...named("no-cache", ["send"], { headers: { ...conditional, "Cache-Control": "no-cache" } }),
  ...named("Range", ["send-file", "send"], { headers: { Range: "bytes=2-5" } }),
  ...named("JSON accepted", ["format", "redirect"], { headers: { Accept: "application/json" } }),
  ...named("image accepted", ["format"], { headers: { Accept: "image/png" } }),
};

const failures = paths([
  ...["ok", "throws-error", "throws-text", "throws-object", "throws-number", "rejects-error", "rejects-null"],
  ...[
    "rejects-undefined",
    "thenable-rejects",
    "thenable-rejects-null",
    "throws-in-timer",
    "throws-in-emitter",
  ],
  ...["throws-in-stream", "unhandled-rejection", "circular-json", "line-break-in-header", "status-42"],
  ...[
    "headers-then-throws",
    "throws-after-answer",
    "rejects-after-answer",
    "timer-after-answer",
    "sends-twice",
  ],
  ...["throws-after-part", "timer-after-part", "rejects-after-part"],
]);

// They end Google's process, the last one after it was answered.
// They end Google's process, the last one after it was answered.
const deadly = paths(["throws-null", "throws-undefined", "throws-null-in-timer", "unhandled-null"]);

const values = [
  ...[
    "undefined",
    "null",
    "text",
    "empty",
    "zero",
    "number",
    "true",
    "false",
    "object",
    "list",
    "bare",
    "buffer",
  ],
  ...["array", "promise", "thenable", "event", "circular", "bigint", "symbol", "class", "timer", "date"],
];

const answers = ["res", "emit", "push", "stream", "piped-and-object", "written-and-object"];
const answersWithValue = ["status-and-object", "type-and-buffer", "type-and-text"];
const accidental = ["text", "object", "event", "true", "zero", "timer", "class"];

const respond = { fixture: "express-responses", args: ["--target=respond"] };

export const http: Scene[] = [
  { name: "bodies", fixture: "echo-body", args: ["--target=echo"], requests: bodies },
  {
    name: "bodies in production",
    fixture: "echo-body",
    args: ["--target=echo"],
    env: production,
    requests: pick(bodies, [
      "JSON, malformed",
      "JSON number",
      "JSON, latin1",
      "gzip, corrupt",
      "unknown encoding",
    ]),
  },
  { ...respond, name: "requests", requests },
  { ...respond, name: "responses", requests: { ...responses, ...variants } },
  {
    ...respond,
    name: "responses in production",
    env: production,
    requests: pick(responses, ["send", "settings", "send-file-missing", "next", "next-error", "next-status"]),
  },
  {
    name: "failures",
    fixture: "http-failures",
    args: ["--target=fail"],
    requests: failures,
  },
  { name: "deadly failures", fixture: "http-failures", args: ["--target=fail"], requests: deadly },
  {
    name: "failures in production",
    fixture: "http-failures",
    args: ["--target=fail"],
    env: production,
    requests: pick(failures, [
      "throws-error",
      "throws-text",
      "throws-object",
      "rejects-error",
      "throws-in-timer",
    ]),
  },
  { name: "results", fixture: "http-results", args: ["--target=valueOnly"], requests: paths(values) },
  {
    name: "results: with res",
    fixture: "http-results",
    args: ["--target=withResponse"],
    requests: paths([...answers, ...answersWithValue, ...accidental.map((name) => `late/${name}`)]),
  },
  { name: "results: defaults", fixture: "http-results", args: ["--target=defaults"], requests: paths(["a"]) },
  { name: "results: bare", fixture: "http-results", args: ["--target=bare"], requests: paths(["a"]) },
  { name: "slow", fixture: "slow", args: ["--target=slow"], requests: paths(["quick"]) },
  {
    name: "timeout",
    fixture: "slow",
    args: ["--target=slow", "--timeout=1"],
    requests: { ...paths(["quick", "late"]), "late, with a body": { ...json({}), path: "/late" } },
  },
  {
    ...respond,
    name: "ignored routes",
    args: [...respond.args, "--ignored-routes=/hidden/:id"],
    requests: paths(["hidden/1", "HIDDEN/1/below?x", "hidden", "favicon.ico"]),
  },
  {
    ...respond,
    name: "ignored routes: none",
    env: { IGNORED_ROUTES: "" },
    requests: paths(["favicon.ico", "robots.txt"]),
  },
  {
    ...respond,
    name: "ignored routes: a list",
    args: [...respond.args, "--ignored-routes=/one|/two,three/*"],
    requests: paths(["one", "two", "three/x", "four"]),
  },
];

export const applications: Scene[] = [
  {
    name: "express: app",
    fixture: "express-targets",
    args: ["--target=app"],
    requests: {
      ...paths(["greet/you?u=again", "throws", "throws-null", "rejects", "forbidden", "timer", "nowhere"]),
      "JSON body": { ...json({ a: [1] }), path: "/json" },
      "JSON body, malformed": { ...json(undefined), body: "{", path: "/json" },
    },
  },
  {
    name: "express: handling",
    fixture: "express-targets",
    args: ["--target=handling"],
    requests: paths(["throws"]),
  },
  {
    name: "express: router",
    fixture: "express-targets",
    args: ["--target=router"],
    requests: { ...paths(["in/5?a=1", "nowhere"]), "JSON body": { ...json({ a: 1 }), path: "/json" } },
  },
  {
    name: "express: middleware",
    fixture: "express-targets",
    args: ["--target=middleware"],
    requests: paths(["mine", "passed", "fails"]),
  },
];

function named(prefix: string, names: string[], asked: Exchange): Record<string, Exchange> {
  return Object.fromEntries(names.map((name) => [`${prefix}: ${name}`, { ...asked, path: `/${name}` }]));
}

function pick(all: Record<string, Exchange>, names: string[]): Record<string, Exchange> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
}
