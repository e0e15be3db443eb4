import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";

import { type Framework, startFramework } from "./support/framework";
import { converse, type Reply, type RequestOptions, request } from "./support/http";

const limit = 64 * 1024;
let framework: Framework;

before(async () => {
  framework = await startFramework(["--target=echo", `--body-limit=${limit}`], { project: "echo-body" });
});
after(() => framework.stop());

const json = "application/json";
const form = "application/x-www-form-urlencoded";
const post = (type: string | undefined, body: RequestOptions["body"], headers = {}): Promise<Reply> =>
  request(framework.url, {
    method: "POST",
    headers: { ...(type && { "Content-Type": type }), ...headers },
    body,
  });

const accepted: [title: string, type: string | undefined, body: string, seen: object, isSame: boolean][] = [
  ["a JSON object", json, '{"a":[1,"ü"]}', { type: "object", value: { a: [1, "ü"] } }, false],
  ["a JSON array", json, " [1]", { type: "object", value: [1] }, false],
  [
    "JSON with a charset parameter",
    `${json}; charset=UTF-8`,
    '{"a":1}',
    { type: "object", value: { a: 1 } },
    false,
  ],
  ["JSON with a byte order mark", json, '\ufeff{"a":1}', { type: "object", value: { a: 1 } }, false],
  ["an empty JSON body", json, "", { type: "object", value: {} }, false],
  [
    "a structured CloudEvent",
    "application/cloudevents+json",
    '{"id":"1"}',
    { type: "object", value: { id: "1" } },
    false,
  ],
  ["another +json type", "application/vnd.x+json", '{"a":1}', { type: "Buffer", value: '{"a":1}' }, true],
  [
    "a batch of CloudEvents",
    "application/cloudevents-batch+json",
    "[]",
    { type: "Buffer", value: "[]" },
    true,
  ],
  ["plain text", "text/plain", "text", { type: "string", value: "text" }, false],
  ["HTML", "text/html", "<p>", { type: "Buffer", value: "<p>" }, true],
  ["CSV", "text/csv", "a;b", { type: "Buffer", value: "a;b" }, true],
  ["XML", "application/xml", "<a/>", { type: "Buffer", value: "<a/>" }, true],
  ["bytes", "application/octet-stream", "bytes", { type: "Buffer", value: "bytes" }, true],
  ["a multipart form", "multipart/form-data; boundary=x", "--x--", { type: "Buffer", value: "--x--" }, true],
  ["no content type", undefined, "bytes", { type: "Buffer", value: "bytes" }, true],
  ["a content type that is none", "quite;nonsense", "bytes", { type: "Buffer", value: "bytes" }, true],
  ["an empty form", form, "", { type: "object", value: {} }, false],
  [
    "a form, nested and with lists",
    form,
    "a=1&b[c]=2&b[d][e]=3&f[]=4&f[]=5&g=x+y%26&a=6",
    { type: "object", value: { a: ["1", "6"], b: { c: "2", d: { e: "3" } }, f: ["4", "5"], g: "x y&" } },
    false,
  ],
];

for (const [title, type, body, seen, isSame] of accepted) {
  test(`req.body and req.rawBody of ${title}`, async () => {
    const reply = await post(type, body);

    const received = reply.json();
    assert.equal(reply.status, 200);
    assert.deepEqual(received.body, seen);
    assert.equal(received.raw, Buffer.from(body).toString("latin1"));
    assert.equal(received.isSame, isSame);
  });
}

test("a request without a body has neither body nor rawBody", async () => {
  const bare = await request(framework.url);
  const empty = await post(undefined, "");

  for (const reply of [bare, empty]) {
    assert.deepEqual(reply.json(), { body: { type: "undefined" }, isSame: false });
  }
});

test("a GET with a body is read like any other", async () => {
  const reply = await request(framework.url, { headers: { "Content-Type": json }, body: '{"a":1}' });

  assert.deepEqual(reply.json().body.value, { a: 1 });
});

test("a chunked body is put together", async () => {
  const reply = await post(json, ['{"a":', '"', "x".repeat(20_000), '"}']);

  assert.deepEqual(reply.json().body.value, { a: "x".repeat(20_000) });
});

test("an empty chunked body is empty, not absent", async () => {
  const reply = await post("text/plain", []);

  assert.deepEqual(reply.json().body, { type: "string", value: "" });
  assert.equal(reply.json().raw, "");
});

const encodings: [encoding: string, encode: (text: string) => Buffer][] = [
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["deflate", deflateSync],
  ["br", brotliCompressSync],
  ["GZIP", gzipSync],
  ["identity", Buffer.from],
];

test("compressed bodies arrive inflated, rawBody too", async () => {
  for (const [encoding, encode] of encodings) {
    const reply = await post(json, encode('{"a":1}'), { "Content-Encoding": encoding });

    assert.equal(reply.status, 200, encoding);
    assert.deepEqual(reply.json().body.value, { a: 1 });
    assert.equal(reply.json().raw, '{"a":1}');
  }
});

test("__proto__ in a body changes no other object", async () => {
  const bodies: [string, string][] = [
    [json, '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}'],
    [form, "__proto__[polluted]=yes&constructor[prototype][polluted]=yes&a[__proto__][polluted]=yes"],
  ];

  for (const [type, body] of bodies) {
    const reply = await post(type, body);
    const next = await request(framework.url);

    assert.equal(reply.status, 200);
    assert.equal(reply.json().polluted, undefined);
    assert.equal(next.json().polluted, undefined);
  }
});

const bomb = gzipSync(Buffer.alloc(limit + 1));
const manyParameters = Array.from({ length: 1001 }, (_, index) => `p${index}=1`).join("&");
const refused: [
  title: string,
  status: number,
  says: RegExp,
  type: string,
  body: string | Buffer,
  headers: object,
][] = [
  ["malformed JSON", 400, /broken JSON/, json, '{"a":', {}],
  ["JSON that is a number", 400, /object or an array/, json, "5", {}],
  ["JSON that is null", 400, /object or an array/, json, "null", {}],
  ["JSON that is a text", 400, /object or an array/, json, '"text"', {}],
  ["JSON in latin1", 415, /charset "iso-8859-1"/, `${json}; charset=ISO-8859-1`, "{}", {}],
  ["text in a charset nobody knows", 415, /charset "x-klingon"/, "text/plain; charset=x-klingon", "text", {}],
  ["an unknown encoding", 415, /content encoding "zstd"/, json, "{}", { "Content-Encoding": "zstd" }],
  ["corrupt gzip", 400, /incorrect header check/, json, "no gzip at all", { "Content-Encoding": "gzip" }],
  [
    "gzip that is cut off",
    400,
    /unexpected end of file/,
    json,
    gzipSync("{}").subarray(0, 15),
    { "Content-Encoding": "gzip" },
  ],
  ["1001 parameters", 413, /more than 1000 parameters/, form, manyParameters, {}],
  ["a body above the limit", 413, /larger than 65536 bytes/, json, Buffer.alloc(limit + 1, " "), {}],
  [
    "a body above the limit once inflated",
    413,
    /larger than 65536 bytes/,
    json,
    bomb,
    { "Content-Encoding": "gzip" },
  ],
];

test("a body that is refused is answered in one line, and the function is not called", async (t) => {
  const untouched = await startFramework(["--target=echo", `--body-limit=${limit}`], {
    project: "echo-body",
  });
  t.after(untouched.stop);

  for (const [title, status, says, type, body, headers] of refused) {
    await t.test(`${status} for ${title}`, async () => {
      const reply = await request(untouched.url, {
        method: "POST",
        headers: { "Content-Type": type, ...headers },
        body,
      });

      assert.equal(reply.status, status);
      assert.match(reply.text, says);
      assert.doesNotMatch(reply.text, /\n|<|\bat .*:\d+/);
      assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
      assert.equal(reply.headers["x-content-type-options"], "nosniff");
      assert.equal(reply.headers["x-google-status"], undefined);
      assert.equal(reply.headers["x-openfunction-status"], undefined);
    });
  }

  await assertCallsAre(untouched, []);
});

test("a body of exactly the limit and 1000 parameters are accepted", async () => {
  const largest = await post("text/plain", "x".repeat(limit));
  const most = await post(form, manyParameters.replace(/&p1000=1$/, ""));

  assert.equal(largest.json().raw.length, limit);
  assert.equal(Object.keys(most.json().body.value).length, 1000);
});

test("413 comes before the client has sent anything when the length says it already", async () => {
  const answer = await converse(
    framework.port,
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${limit + 1}\r\n\r\n`,
  );

  assert.match(answer, /^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/is);
});

test("413 comes while the client is still sending chunks", async () => {
  const chunk = `${(limit + 1).toString(16)}\r\n${"x".repeat(limit + 1)}\r\n`;

  const answer = await converse(
    framework.port,
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
  );

  assert.match(answer, /^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/is);
});

test("after a refusal the connection serves on", async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const headers = { "Content-Type": json, "Content-Encoding": "gzip" };

  const refusal = await request(framework.url, { method: "POST", headers, body: "x".repeat(limit), agent });
  const next = await request(framework.url, { agent });

  assert.equal(refusal.status, 400);
  assert.equal(refusal.headers.connection, "keep-alive");
  assert.equal(next.status, 200);
});

test("a client that waits for 100 Continue gets it, HTTP/1.0 is answered and closed", async () => {
  const cautious = await converse(
    framework.port,
    "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
  );
  const old = await converse(framework.port, "GET / HTTP/1.0\r\n\r\n");

  assert.match(cautious, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  assert.match(old, /^HTTP\/1\.1 200 OK\r\n/);
});

test("a client that goes away in the middle of its body leaves the function uncalled and the server well", async (t) => {
  const left = await startFramework(["--target=echo"], { project: "echo-body" });
  t.after(left.stop);
  const socket = connect(left.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");

  socket.destroy();
  await once(socket, "close");
  const reply = await request(`${left.url}/whole`);

  assert.equal(reply.status, 200);
  await assertCallsAre(left, ["/whole"]);
});

test("after a large body that cannot be inflated the connection goes on", async () => {
  const body = Buffer.alloc(1024 ** 2, "no gzip");
  const head = `POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const next = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const chunk = [`${body.length.toString(16)}\r\n`, body, "\r\n0\r\n\r\n"];

  const text = await converse(
    framework.port,
    Buffer.concat([head, ...chunk, next].map((part) => Buffer.from(part as string))),
  );

  assert.match(text, /^HTTP\/1\.1 400 [\s\S]*incorrect header check\.HTTP\/1\.1 200 /);
});

/** The calls of the function up to now; a last one shows that the others have been printed. */
async function assertCallsAre(server: Framework, urls: string[]): Promise<void> {
  await request(`${server.url}/last`);
  await server.says("called with /last\n");

  const calls = server.stdout.match(/(?<=^called with ).*$/gm);
  assert.deepEqual(calls, [...urls, "/last"]);
}
