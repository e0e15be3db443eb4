/** One hop: what of a request reaches the upstream, and what of the reply reaches the client. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";

import {
  ask,
  openClient,
  socketPath,
  startEcho,
  startHop,
  startRawUpstream,
  startUpstream,
} from "./support/hop";
import { request } from "./support/http";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** The head that an upstream gets for the given request. */
async function headOf(t: Parameters<typeof startHop>[0], text: string, options = {}, target = {}) {
  const upstream = await startEcho(t, ok);
  const hop = await startHop(t, { address: upstream.address, ...target }, options);
  const answer = await ask(t, hop.port, text);
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  return (upstream.received[0] as string).split("\r\n").slice(0, -2);
}

describe("the request", () => {
  test("keeps its method, its target and its fields: raw, in order, repeated", async (t) => {
    const head = await headOf(
      t,
      "DELETE /a%2Fb//c/../d?x=%20&x&& HTTP/1.1\r\nX-b: 1\r\nhost: Example.org:80\r\nx-B: 2\r\nCookie: a\r\ncookie: b\r\nX-Bytes: \xe9\xff\r\nX-Empty:\r\nConnection: close\r\n\r\n",
    );

    assert.deepEqual(head, [
      "DELETE /a%2Fb//c/../d?x=%20&x&& HTTP/1.1",
      "X-b: 1",
      "host: Example.org:80",
      "x-B: 2",
      "Cookie: a",
      "cookie: b",
      "X-Bytes: \xe9\xff",
      "X-Empty: ",
      "X-Forwarded-For: 127.0.0.1",
      "X-Forwarded-Host: Example.org:80",
      "X-Forwarded-Proto: http",
    ]);
  });

  test("loses the fields of the connection and those it lists, but never Host and the length", async (t) => {
    const head = await headOf(
      t,
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine, Host, Content-Length\r\nX-Mine: 1\r\nX-Other: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nTE: gzip\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n",
    );

    assert.deepEqual(head.slice(0, 4), ["POST / HTTP/1.1", "Host: a", "X-Other: 1", "Content-Length: 0"]);
    assert.ok(head.slice(4).every((line) => line.startsWith("X-Forwarded-")));
  });

  test("says that trailers are welcome when the client does", async (t) => {
    const head = await headOf(
      t,
      "GET / HTTP/1.1\r\nHost: a\r\nTE: gzip, trailers\r\nConnection: TE, close\r\n\r\n",
    );

    assert.deepEqual(head.slice(-2), ["TE: trailers", "Connection: TE"]);
  });

  const forwarded =
    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\nConnection: close\r\n\r\n";

  test("X-Forwarded of a client is replaced", async (t) => {
    assert.deepEqual((await headOf(t, forwarded)).slice(2), [
      "X-Forwarded-For: 127.0.0.1",
      "X-Forwarded-Host: a",
      "X-Forwarded-Proto: http",
    ]);
  });

  test("X-Forwarded of a client that is trusted is added to", async (t) => {
    assert.deepEqual((await headOf(t, forwarded, { trustForwarded: true })).slice(2), [
      "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 127.0.0.1",
      "X-Forwarded-Host: b",
      "X-Forwarded-Proto: https",
    ]);
  });

  test("gets the path, the Host and the fields of the target", async (t) => {
    const head = await headOf(
      t,
      "GET /strip/me?q=1 HTTP/1.1\r\nHost: a\r\nx-call-id: 1\r\nConnection: close\r\n\r\n",
      {},
      { path: "/me?q=1", host: "inner", headers: ["X-Call-Id", "2"] },
    );

    assert.deepEqual(head.slice(0, 2), ["GET /me?q=1 HTTP/1.1", "Host: inner"]);
    assert.deepEqual(head.at(-1), "X-Call-Id: 2");
    assert.ok(!head.includes("x-call-id: 1"));
  });

  test("in absolute form goes by its path, and its authority is the Host", async (t) => {
    const head = await headOf(
      t,
      "GET http://real.org:81?x HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n",
    );

    assert.deepEqual(head.slice(0, 2), ["GET /?x HTTP/1.1", "Host: real.org:81"]);
  });

  test("OPTIONS * stays what it is", async (t) => {
    const [line] = await headOf(t, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

    assert.equal(line, "OPTIONS * HTTP/1.1");
  });

  test("of HTTP/1.0 gets a Host, and its answer no chunks", async (t) => {
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    const upstream = await startEcho(t, chunked);
    const hop = await startHop(t, upstream);

    const answer = await ask(t, hop.port, "GET / HTTP/1.0\r\n\r\n");

    assert.match(upstream.received[0] as string, /^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(answer, /chunked/i);
    assert.match(answer, /\r\n\r\nok$/);
  });

  test("keeps the framing of its body, with trailers", async (t) => {
    const upstream = await startRawUpstream(t, (socket, received) => {
      if (received.endsWith("hello") || received.endsWith("\r\n\r\n")) socket.write(ok);
    });
    const hop = await startHop(t, upstream);

    const withLength = openClient(t, hop.port);
    withLength.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    await withLength.gets("ok");
    assert.match(upstream.received[0] as string, /\r\nContent-Length: 5\r\n[\s\S]*\r\n\r\nhello$/);

    const chunked = openClient(t, hop.port);
    chunked.write(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n",
    );
    await upstream.gets("5\r\nhello\r\n");
    chunked.write("0\r\nX-Sum: 1\r\nHost: b\r\n\r\n");
    await chunked.gets("ok");
    const [, second = ""] = (upstream.received[0] as string).split("\r\n\r\nhello");
    const [head = "", body = ""] = second.split(/\r\n\r\n(?=5)/);
    assert.match(head, /\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n/);
    assert.equal(body, "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n");
  });

  test("with a small body goes out in one write", async (t) => {
    const upstream = await startRawUpstream(t, (socket, received) => {
      if (received.includes("\r\n\r\n"))
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${received.slice(-5)}`);
    });
    const hop = await startHop(t, upstream);

    const { text } = await request(hop.url, { method: "POST", body: "small" });

    assert.equal(text, "small");
  });

  test("waits for 100 when it expects it, and its body follows", async (t) => {
    const upstream = await startRawUpstream(t, (socket, received) => {
      if (received.endsWith("body")) socket.write(ok);
      else if (received.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);

    client.write("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    await client.gets("HTTP/1.1 100 Continue\r\n\r\n");
    assert.match(upstream.received[0] as string, /\r\nExpect: 100-continue\r\n/);
    client.write("body");
    await client.gets("ok");

    assert.match(client.received, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  test("that is refused instead of continued ends its connection", async (t) => {
    const upstream = await startEcho(t, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    const hop = await startHop(t, upstream);

    const answer = await ask(
      t,
      hop.port,
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    );

    assert.match(answer, /^HTTP\/1\.1 413 Too Large\r\n[\s\S]*Connection: close\r\n[\s\S]*no$/);
    await upstream.closes(1);
  });
});

describe("the reply", () => {
  /** What a client gets from an upstream that sends the text. */
  async function answerTo(t: Parameters<typeof startHop>[0], reply: string, text?: string, options = {}) {
    const upstream = await startEcho(t, reply, options);
    const hop = await startHop(t, upstream);
    return ask(t, hop.port, text ?? "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  }

  test("keeps its status, its reason and its fields: raw, in order, repeated", async (t) => {
    const answer = await answerTo(
      t,
      "HTTP/1.1 299 Caf\xe9\r\nset-cookie: a=1\r\nDate: today\r\nX-Bytes: \xe9\xff\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n\xc3\xa9",
    );

    assert.equal(
      answer,
      "HTTP/1.1 299 Caf\xe9\r\nset-cookie: a=1\r\nDate: today\r\nX-Bytes: \xe9\xff\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\nConnection: close\r\n\r\n\xc3\xa9",
    );
  });

  test("loses the fields of the connection and those it lists", async (t) => {
    const answer = await answerTo(
      t,
      "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Mine\r\nKeep-Alive: timeout=1\r\nX-Mine: 1\r\nProxy-Authenticate: x\r\nDate: d\r\nContent-Length: 2\r\n\r\nok",
    );

    assert.equal(answer, "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });

  test("to HEAD, 204 and 304 have no body, and HEAD and 304 keep the length", async (t) => {
    const close = "Connection: close\r\n\r\n";
    const head = await answerTo(
      t,
      "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 5\r\n\r\n",
      `HEAD / HTTP/1.1\r\nHost: a\r\n${close}`,
    );
    const none = await answerTo(t, "HTTP/1.1 204 No Content\r\nDate: d\r\nContent-Length: 0\r\n\r\n");
    const same = await answerTo(t, "HTTP/1.1 304 Not Modified\r\nDate: d\r\nContent-Length: 5\r\n\r\n");

    assert.equal(head, `HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 5\r\n${close}`);
    assert.equal(none, `HTTP/1.1 204 No Content\r\nDate: d\r\n${close}`);
    assert.equal(same, `HTTP/1.1 304 Not Modified\r\nDate: d\r\nContent-Length: 5\r\n${close}`);
  });

  test("in chunks stays in chunks, with its trailers", async (t) => {
    const answer = await answerTo(
      t,
      "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n",
    );

    assert.equal(
      answer,
      "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nDate: d\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
  });

  test("until the end of its connection is passed on whole", async (t) => {
    const answer = await answerTo(t, "HTTP/1.0 200 OK\r\nDate: d\r\n\r\nall of it", undefined, {
      closes: true,
    });

    assert.match(answer, /\r\n\r\n9\r\nall of it\r\n0\r\n\r\n$/);
  });

  test("is preceded by 103, which goes to nobody of HTTP/1.0", async (t) => {
    const reply = `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX: \xe9\r\n\r\n${ok}`;

    const answer = await answerTo(t, reply);
    const old = await answerTo(t, reply, "GET / HTTP/1.0\r\n\r\n");

    assert.match(
      answer,
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\nX: \xe9\r\n\r\nHTTP\/1\.1 200 OK\r\n/,
    );
    assert.match(old, /^HTTP\/1\.1 200 OK\r\n/);
  });

  test("streams: the head and each part are there before the end", async (t) => {
    let write: (text: string) => void = () => undefined;
    const upstream = await startRawUpstream(t, (socket) => {
      write = (text) => socket.write(text, "latin1");
      write(
        "HTTP/1.1 200 OK\r\nX-Bytes: \xe9\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
    });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);

    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.gets("\r\n\r\n");
    assert.match(client.received, /\r\nX-Bytes: \xe9\r\n/);
    write("3\r\none\r\n");
    await client.gets("3\r\none\r\n");
    write("3\r\ntwo\r\n0\r\n\r\n");
    await client.gets("0\r\n\r\n");
  });

  test("may be changed by the caller before it is sent", async (t) => {
    const upstream = await startEcho(t, ok);
    const hop = await startHop(t, {
      address: upstream.address,
      onReply: (head) => {
        head.status = 202;
        head.reason = "Later";
        head.headers.push("X-Call-Id", "7");
      },
    });

    const reply = await request(hop.url);

    assert.equal(`${reply.status} ${reply.statusText} ${reply.headers["x-call-id"]}`, "202 Later 7");
    assert.equal((await hop.ended(1))[0]?.status, 202);
  });
});

describe("the connections", () => {
  test("one connection takes request after request, pipelined ones in their order", async (t) => {
    let connections = 0;
    const seen = new Set();
    const address = await startUpstream(t, (req, res) => {
      if (!seen.has(req.socket)) connections++;
      seen.add(req.socket);
      res.end(req.url);
    });
    const hop = await startHop(t, { address });

    for (const path of ["/1", "/2", "/3"]) assert.equal((await request(hop.url + path)).text, path);
    assert.equal(connections, 1);

    const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
    const lines = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n`);
    const answer = await ask(t, hop.port, `${lines.join("\r\n")}Connection: close\r\n\r\n`);
    assert.deepEqual(answer.match(/^\/\d+/gm), paths);
  });

  test("a UNIX socket is an address", async (t) => {
    const path = socketPath();
    const address = await startUpstream(t, (_req, res) => res.end("over unix"), path);
    const hop = await startHop(t, { address });

    assert.equal((await request(hop.url)).text, "over unix");
  });

  test("a reply that says close is the last of its connection", async (t) => {
    const upstream = await startEcho(
      t,
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    );
    const hop = await startHop(t, upstream);

    await request(hop.url);
    await upstream.closes(1);
    await request(hop.url);

    assert.equal(upstream.received.length, 2);
  });

  test("a connection that waits too long is ended, and one of a server that keeps none is not kept", async (t) => {
    const patient = await startEcho(t, ok);
    const hop = await startHop(t, patient, { idleTimeout: 1 });
    await request(hop.url);
    await patient.closes(1);

    const impatient = await startEcho(
      t,
      "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok",
    );
    const second = await startHop(t, impatient);
    await request(second.url);
    await impatient.closes(1);
  });

  test("no more than the bound wait", async (t) => {
    let waiting: (() => void)[] = [];
    const address = await startUpstream(t, (_req, res) => {
      waiting.push(() => res.end("ok"));
      if (waiting.length < 5) return;
      for (const answer of waiting) answer();
      waiting = [];
    });
    const hop = await startHop(t, { address }, { maxIdle: 2, maxConnections: 5 });

    const replies = await Promise.all(Array.from({ length: 5 }, () => request(hop.url)));

    assert.ok(replies.every(({ text }) => text === "ok"));
  });
});

test("large bodies pass both ways, byte for byte", async (t) => {
  const body = randomBytes(5_000_000);
  const address = await startUpstream(t, (req, res) => {
    if (req.headers["content-length"]) res.setHeader("Content-Length", req.headers["content-length"]);
    req.pipe(res);
  });
  const hop = await startHop(t, { address });

  const whole = await request(hop.url, { method: "POST", body });
  const chunked = await request(hop.url, {
    method: "POST",
    body: [body.subarray(0, 1), body.subarray(1, 3_000_000), body.subarray(3_000_000)],
  });

  assert.ok(whole.body.equals(body));
  assert.equal(whole.headers["content-length"], String(body.length));
  assert.ok(chunked.body.equals(body));
});

test("a reply that is over before its request ends the connection, not the reply", async (t) => {
  const upstream = await startRawUpstream(t, (socket, received) => {
    if (received.endsWith("first part") || received.startsWith("GET")) socket.write(ok);
  });
  const hop = await startHop(t, upstream);
  const client = openClient(t, hop.port);

  client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst part");
  await client.gets("ok");
  await upstream.closes(1);
  assert.equal((await request(hop.url)).text, "ok");
  client.write("x".repeat(999_990));
  client.write("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  await client.closed();

  assert.deepEqual(client.received.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 200"]);
  assert.ok(upstream.received.every((text) => !text.includes("xxx")));
});
