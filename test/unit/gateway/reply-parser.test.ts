/** Replies as they may come, whole and cut at every byte: what is told of them, and which are refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { largestHead, ReplyParser } from "../../../src/gateway/proxy/reply-parser";
import { Random } from "../../support/fuzz/random";

interface Told {
  informations: number[];
  status: number | undefined;
  reason: string | undefined;
  headers: string[];
  body: string;
  trailers: readonly string[] | undefined;
  switched: string | undefined;
  fault: string | undefined;
}

interface Row {
  name: string;
  method?: string;
  upgrade?: boolean;
  wire: string;
  /** The server closes after it. */
  closes?: boolean;
  told: Partial<Told>;
}

const good: Row[] = [
  {
    name: "a length",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    told: { status: 200, reason: "OK", headers: ["Content-Length", "5"], body: "hello", trailers: [] },
  },
  {
    name: "names, order and repetitions stay; space around values goes",
    wire: "HTTP/1.1 200 OK\r\nset-cookie:a=1\r\nX-One:  \t one \t\r\nSet-Cookie: b=2\r\nEmpty:\r\nContent-Length: 0\r\n\r\n",
    told: {
      headers: ["set-cookie", "a=1", "X-One", "one", "Set-Cookie", "b=2", "Empty", "", "Content-Length", "0"],
      body: "",
      trailers: [],
    },
  },
  {
    name: "bytes above 0x7F",
    wire: "HTTP/1.1 200 Caf\xe9\r\nX: \xc3\xa0\r\nContent-Length: 2\r\n\r\n\xc3\xa9",
    told: {
      reason: "Caf\xe9",
      headers: ["X", "\xc3\xa0", "Content-Length", "2"],
      body: "\xc3\xa9",
      trailers: [],
    },
  },
  {
    name: "no reason",
    wire: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    told: { status: 200, reason: "", trailers: [] },
  },
  {
    name: "chunks, with extensions that go no further and trailers",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n00a ; x\r\n0123456789\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
    told: { headers: [], body: "abc0123456789", trailers: ["X-Sum", "1", "X-Sum", "2"] },
  },
  {
    name: "no framing: until the end",
    wire: "HTTP/1.1 200 OK\r\n\r\nall of it",
    closes: true,
    told: { headers: [], body: "all of it", trailers: [] },
  },
  {
    name: "HTTP/1.0",
    wire: "HTTP/1.0 200 OK\r\n\r\nold",
    closes: true,
    told: { status: 200, body: "old", trailers: [] },
  },
  {
    name: "HEAD has a length and no body",
    method: "HEAD",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    told: { headers: ["Content-Length", "5"], body: "", trailers: [] },
  },
  {
    name: "HEAD of a chunked reply",
    method: "HEAD",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    told: { headers: [], body: "", trailers: [] },
  },
  {
    name: "204, whose length means nothing",
    wire: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    told: { status: 204, headers: [], body: "", trailers: [] },
  },
  {
    name: "304 with the length of what it does not send",
    wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: x\r\n\r\n",
    told: { status: 304, headers: ["Content-Length", "99", "ETag", "x"], body: "", trailers: [] },
  },
  {
    name: "1xx before the reply",
    wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!",
    told: { informations: [100, 103], status: 200, body: "!", trailers: [] },
  },
  {
    name: "fields of the connection, and those it lists, go no further",
    wire: "HTTP/1.1 200 OK\r\nConnection: X-Secret, keep-alive, content-length\r\nKeep-Alive: timeout=5\r\nX-Secret: 1\r\nProxy-Connection: x\r\nTE: x\r\nUpgrade: h2c\r\nProxy-Authenticate: x\r\nX-Open: 1\r\nContent-Length: 0\r\n\r\n",
    told: { headers: ["X-Open", "1", "Content-Length", "0"], trailers: [] },
  },
  {
    name: "101, and the bytes after it",
    upgrade: true,
    wire: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00raw",
    told: { switched: "websocket", body: "\x81\x00raw" },
  },
];

const bad: Pick<Row, "name" | "method" | "wire" | "upgrade" | "closes">[] = [
  { name: "two lengths", wire: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1\r\n\r\nx" },
  { name: "a list of lengths", wire: "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx" },
  { name: "a length with a sign", wire: "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx" },
  { name: "a length in hex", wire: "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx" },
  { name: "an empty length", wire: "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n" },
  {
    name: "a length beyond all numbers",
    wire: `HTTP/1.1 200 OK\r\nContent-Length: ${"9".repeat(16)}\r\n\r\n`,
  },
  {
    name: "length before coding",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  },
  {
    name: "coding before length",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
  },
  { name: "another coding", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" },
  { name: "a coding with more", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n" },
  {
    name: "a coding twice",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  },
  { name: "chunks in HTTP/1.0", wire: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
  { name: "a hidden coding", wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" },
  {
    name: "a coding with a vertical tab",
    wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
  },
  { name: "a continued line", wire: "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n" },
  { name: "lines that end with LF", wire: "HTTP/1.1 200 OK\nContent-Length: 0\n\n" },
  { name: "one line that ends with LF", wire: "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n" },
  { name: "a lone CR in a value", wire: "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n" },
  { name: "NUL in a value", wire: "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n" },
  { name: "NUL in a name", wire: "HTTP/1.1 200 OK\r\nX\0: a\r\nContent-Length: 0\r\n\r\n" },
  { name: "an empty name", wire: "HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n" },
  { name: "a line without a colon", wire: "HTTP/1.1 200 OK\r\nwhat\r\nContent-Length: 0\r\n\r\n" },
  { name: "an empty line in front", wire: "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
  { name: "HTTP/2", wire: "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n" },
  { name: "HTTP/1.2", wire: "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n" },
  { name: "a status of two digits", wire: "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n" },
  { name: "a status of four digits", wire: "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n" },
  { name: "status 0", wire: "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n" },
  { name: "another protocol", wire: "SSH-2.0-OpenSSH\r\n" },
  { name: "a head that never ends", wire: `HTTP/1.1 200 OK\r\nX: ${"x".repeat(largestHead)}` },
  { name: "more than its length", wire: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy" },
  {
    name: "a second reply",
    wire: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  },
  { name: "a body for HEAD", method: "HEAD", wire: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" },
  { name: "a body with 204", wire: "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx" },
  { name: "a body with 304", wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\n\r\nx" },
  { name: "1xx with a length", wire: "HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\nx" },
  { name: "101 that nobody asked for", wire: "HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n" },
  { name: "101 to nothing", upgrade: true, wire: "HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n" },
  ...[
    ["no size", "\r\nx\r\n0\r\n\r\n"],
    ["a size with a sign", "+1\r\nx\r\n0\r\n\r\n"],
    ["a size with 0x", "0x1\r\nx\r\n0\r\n\r\n"],
    ["a negative size", "-1\r\nx\r\n0\r\n\r\n"],
    ["a size beyond all numbers", "fffffffffffff\r\n"],
    ["a space before the size", " 1\r\nx\r\n0\r\n\r\n"],
    ["a space after the size", "1 \r\nx\r\n0\r\n\r\n"],
    ["a size line that ends with LF", "1\nx\r\n0\r\n\r\n"],
    ["a control character in an extension", "1;a\0\r\nx\r\n0\r\n\r\n"],
    ["an extension with a lone CR", "1;a\rb\r\nx\r\n0\r\n\r\n"],
    ["an extension without end", `1;${"a".repeat(9000)}`],
    ["a chunk longer than its size", "1\r\nxy\r\n0\r\n\r\n"],
    ["a chunk that ends with LF", "1\r\nx\n0\r\n\r\n"],
    ["a trailer without a colon", "0\r\nwhat\r\n\r\n"],
    ["a continued trailer", "0\r\nX: a\r\n b\r\n\r\n"],
    ["a trailer with NUL", "0\r\nX: \0\r\n\r\n"],
    ["bytes after the trailers", "0\r\n\r\nx"],
    ["trailers without end", `0\r\n${`X: ${"x".repeat(8000)}\r\n`.repeat(9)}`],
  ].map(([name = "", body = ""]) => ({
    name: `chunks: ${name}`,
    wire: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
  })),
];

describe("a reply is understood, however it is cut", () => {
  for (const row of good) {
    test(row.name, () => {
      for (const parts of cuts(row.wire)) {
        const told = read(row, parts);

        assert.equal(told.fault, undefined);
        assert.deepEqual({ ...told, ...row.told }, told, `cut: ${JSON.stringify(parts)}`);
      }
    });
  }
});

describe("a reply that could be read in two ways is refused, however it is cut", () => {
  for (const row of bad) {
    test(row.name, () => {
      for (const parts of cuts(row.wire)) {
        assert.ok(read(row, parts).fault, `cut: ${JSON.stringify(parts).slice(0, 200)}`);
      }
    });
  }
});

test("a reply is at its end in the read that brings its last byte, and not before", () => {
  for (const row of good.filter(({ closes, upgrade }) => !closes && !upgrade)) {
    const early = read(row, [row.wire.slice(0, -1)]);

    assert.equal(early.trailers, undefined, row.name);
    assert.ok(read(row, [row.wire]).trailers, row.name);
  }
});

test("a connection that is closed too early is no end of a reply", () => {
  for (const row of good.filter(({ closes }) => !closes)) {
    for (let length = 0; length < row.wire.length; length++) {
      const told = read({ ...row, closes: true }, [row.wire.slice(0, length)]);

      if (!told.switched) assert.equal(told.trailers, undefined, `${row.name}, ${length} bytes`);
    }
  }
});

test("a damaged reply means the same however it is cut", () => {
  const pieces = [
    ..."\r\n\t\0 :;,-+019afx\x80",
    "\r\n",
    "\r\n\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "HTTP/1.1 200 OK\r\n",
  ];
  let understood = 0;
  for (let index = 0; index < 1500; index++) {
    const random = new Random(1, index);
    const row = random.pick(good);
    let wire = row.wire;
    for (let count = random.between(1, 3); count > 0; count--) {
      const at = random.below(wire.length + 1);
      wire =
        wire.slice(0, at) + (random.chance(70) ? random.pick(pieces) : "") + wire.slice(at + random.below(3));
    }
    const cut = random.between(1, Math.max(1, wire.length - 1));

    const whole = meaning({ ...row, closes: true }, [wire]);

    assert.deepEqual(meaning({ ...row, closes: true }, [...wire]), whole, JSON.stringify(wire));
    const halves = [wire.slice(0, cut), wire.slice(cut)];
    assert.deepEqual(meaning({ ...row, closes: true }, halves), whole, JSON.stringify(halves));
    if (whole !== undefined) understood++;
  }

  assert.ok(understood > 100 && understood < 1400, `${understood} were understood`);
});

test("one parser reads reply after reply", () => {
  const parser = new ReplyParser();
  const bodies: string[] = [];
  const sink = sinkOf({ ...nothing(), informations: [] }, (body) => bodies.push(body));

  for (const { wire, method, closes } of good.filter(({ upgrade }) => !upgrade)) {
    parser.begin({ method: method ?? "GET", upgrade: false }, sink);
    const bytes = Buffer.from(wire, "latin1");
    assert.equal(parser.execute(bytes, bytes.length), undefined);
    if (closes) assert.equal(parser.executeEnd(), true);
    assert.equal(parser.isIdle, true);
  }

  assert.ok(bodies.includes("hello"));
  assert.ok(parser.execute(Buffer.from("x"), 1), "nobody has asked");
});

/** Whole, in two parts at every place, and byte by byte; long ones at some places. */
function cuts(wire: string): string[][] {
  const step = wire.length > 2_000 ? Math.ceil(wire.length / 20) : 1;
  const all: string[][] = [[wire]];
  for (let at = 1; at < wire.length; at += step) all.push([wire.slice(0, at), wire.slice(at)]);
  if (step === 1) all.push([...wire]);
  return all;
}

function read(
  { method = "GET", upgrade = false, closes }: Omit<Row, "told" | "name">,
  parts: string[],
): Told {
  const parser = new ReplyParser();
  const told = nothing();
  parser.begin({ method, upgrade }, sinkOf(told));
  // One buffer with old bytes in it, as sockets read.
  const buffer = Buffer.alloc(256 * 1024, "0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  for (const part of parts) {
    const size = buffer.write(part, "latin1");
    told.fault = parser.execute(buffer, size);
    if (told.fault !== undefined) return told;
  }
  if (closes) parser.executeEnd();
  return told;
}

/** What a client would be told in the end; undefined when it is refused. */
function meaning(row: Omit<Row, "told" | "name">, parts: string[]): Told | undefined {
  const told = read(row, parts);
  return told.fault === undefined ? told : undefined;
}

function nothing(): Told {
  return {
    informations: [],
    status: undefined,
    reason: undefined,
    headers: [],
    body: "",
    trailers: undefined,
    switched: undefined,
    fault: undefined,
  };
}

function sinkOf(told: Told, onBody: (text: string) => void = () => undefined) {
  return {
    onInformation: ({ status }: { status: number }) => void told.informations.push(status),
    onHead: ({ status, reason, headers }: { status: number; reason: string; headers: string[] }) =>
      void Object.assign(told, { status, reason, headers }),
    onBody: (buffer: Buffer, start: number, end: number) => {
      const text = buffer.toString("latin1", start, end);
      told.body += text;
      onBody(text);
    },
    onSwitch: ({ upgrade }: { upgrade: string | undefined }, first: Buffer) => {
      told.switched = upgrade;
      told.body += first.toString("latin1");
    },
    onEnd: (trailers: readonly string[]) => {
      told.trailers = trailers;
    },
  };
}
