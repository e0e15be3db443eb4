/** Requests and replies that two readers could take in two ways: none of them passes the hop. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ask, openClient, startEcho, startHop, startRawUpstream } from "./support/hop";
import { request } from "./support/http";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

describe("a request that could hide another one is refused", () => {
  const rows: Record<string, string> = {
    "length before coding": `Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    "coding before length": `Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n${hidden}`,
    "two lengths": `Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    "a list of lengths": `Content-Length: 0, ${hidden.length}\r\n\r\n${hidden}`,
    "a length with a sign": `Content-Length: +5\r\n\r\nhello${hidden}`,
    "another coding": `Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n${hidden}`,
    "chunked is not the last coding": `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
    "a coding twice": `Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    "a coding in two lines": `Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    "a coding that is spelled wrong": `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
    "a space before the colon": `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
    "two Hosts": "Host: b\r\n\r\n",
    "NUL in a value": "X: a\0b\r\n\r\n",
    "NUL in a name": "X\0: a\r\n\r\n",
    "a lone CR in a value": `X: a\rContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    "an empty name": ": a\r\n\r\n",
    "a chunk longer than its size": `Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n${hidden}`,
    "a size with a sign": `Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n${hidden}`,
    "a chunk line that ends with LF": `Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n${hidden}`,
  };
  for (const [name, rest] of Object.entries(rows)) {
    test(name, async (t) => {
      const upstream = await startEcho(t, ok);
      const hop = await startHop(t, upstream);

      const answer = await ask(t, hop.port, `POST /open HTTP/1.1\r\nHost: a\r\n${rest}`);

      assert.match(answer, /^HTTP\/1\.1 (400|501) /);
      assert.doesNotMatch(answer, /\bok$/);
      assert.ok(!upstream.received.join().includes("GET /hidden"), upstream.received.join());
      assert.equal((await request(hop.url)).text, "ok");
    });
  }
});

describe("a request that is odd reaches the upstream in one meaning only", () => {
  const rows: Record<string, string> = {
    "a continued line": "X: a\r\n b\r\nConnection: close\r\n\r\n",
    "lines that end with LF": "X: a\nConnection: close\n\n",
    "chunk extensions":
      "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c\r\nhello\r\n0;d\r\n\r\n",
    "a length with zeros": "Connection: close\r\nContent-Length: 0005\r\n\r\nhello",
    "a coding in capitals": "Connection: close\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  };
  for (const [name, rest] of Object.entries(rows)) {
    test(name, async (t) => {
      const upstream = await startEcho(t, ok);
      const hop = await startHop(t, upstream);

      const answer = await ask(t, hop.port, `POST /open HTTP/1.1\r\nHost: a\r\n${rest}`);

      const [received] = upstream.received;
      if (received === undefined) return assert.match(answer, /^HTTP\/1\.1 400 /); // Node's parser refuses it
      assert.doesNotMatch(received, /(?<!\r)\n|\r(?!\n)|\r\n[ \t]|;/);
      assert.match(received, /^POST \/open HTTP\/1\.1\r\n/);
    });
  }
});

test("what a caller adds to the head cannot end a line", async (t) => {
  const upstream = await startEcho(t, ok);
  const hop = await startHop(t, (url) => ({
    address: upstream.address,
    ...(url === "/path" ? { path: "/a HTTP/1.1\r\nX: y" } : { headers: ["X-Call-Id", "1\r\nX: y"] }),
  }));

  assert.equal((await request(`${hop.url}/path`)).status, 400);
  assert.equal((await request(`${hop.url}/headers`)).status, 400);
  assert.equal(upstream.received.length, 0);
});

describe("a reply that could be meant for another client is refused", () => {
  const rows: Record<string, string> = {
    "length before coding":
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding before length":
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a continued line": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "lines that end with LF": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "NUL in a value": "HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\nok",
    "more than its length": `${ok}!`,
    "a second reply": ok + ok,
    "a body with 204": "HTTP/1.1 204 No Content\r\n\r\nok",
    "another protocol": "220 smtp.example.org ESMTP\r\n",
    "a head without end": `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`,
    "101 that nobody asked for": "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a bad first chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
  };
  for (const [name, reply] of Object.entries(rows)) {
    test(`${name}: 502, and the connection is not used again`, async (t) => {
      const upstream = await startEcho(t, reply);
      const hop = await startHop(t, upstream);

      const answer = await request(hop.url);
      await upstream.closes(1);

      assert.equal(`${answer.status} ${answer.text}`, "502 Bad Gateway");
      assert.equal((await hop.ended(1))[0]?.error?.code, "FF_UPSTREAM_MALFORMED");
      assert.equal((await request(hop.url)).status, 502);
      assert.equal(upstream.received.length, 2);
    });
  }

  const late: Record<string, string[]> = {
    "a bad chunk": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "xyz\r\n"],
    "more than its length": ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npart", "s!"],
    "a bad trailer": [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
      "0\r\nX: \0\r\n\r\n",
    ],
  };
  for (const [name, [first = "", second = ""]] of Object.entries(late)) {
    test(`${name} after the head was sent breaks the client's connection`, async (t) => {
      let go: () => void = () => undefined;
      const upstream = await startRawUpstream(t, (socket) => {
        socket.write(first);
        go = () => socket.write(second);
      });
      const hop = await startHop(t, upstream);
      const client = openClient(t, hop.port);
      client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await client.gets("part");

      go();
      await client.closed();

      assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
      assert.equal((await hop.ended(1))[0]?.error?.code, "FF_UPSTREAM_MALFORMED");
      await upstream.closes(1);
    });
  }
});
