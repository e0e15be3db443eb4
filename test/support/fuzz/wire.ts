/** A request as bytes: whole and well framed, or wrong in one of the ways that matter to who must find its end. */
import { corrupt } from "./bodies";
import type { Draft, Header } from "./draft";
import type { Random } from "./random";

export interface Message {
  method: string;
  path: string;
  bytes: Buffer;
}

/** The receiver can tell where it ends, or refuses it: either way something is answered. */
export function writeSound(random: Random, draft: Draft): Message {
  const { body } = draft;
  const line = random.weighted<Partial<Line>>([
    [90, {}],
    [4, { version: "1.0" }],
    [1, { version: random.pick(["0.9", "2.0", "1.2", "9.9"]) }],
    [2, { method: random.pick(["FOO", "get", "G\xc9T", "POSTPOST"]) }],
    [1, { path: `${draft.path} x` }],
    [1, { host: undefined }],
    [1, { host: random.pick(["", "a:b:c", "[::1", "\xff"]) }],
  ]);
  const headers = random.chance(3) ? [...draft.headers, random.pick(brokenHeaders)] : draft.headers;
  const sound = { ...draft, headers, ...line };
  if (body === undefined) return message(sound, random.chance(20) ? [["Content-Length", "0"]] : [], nothing);
  return random.chance(65)
    ? message(sound, [["Content-Length", String(body.length)]], body)
    : message(sound, [["Transfer-Encoding", random.pick(["chunked", "Chunked"])]], chunked(random, body));
}

/** Nobody can tell how it is meant. Never a HEAD, whose answer has no body. */
export function writeUnsound(random: Random, given: Draft): Message {
  const draft = given.method === "HEAD" ? { ...given, method: "POST" } : given;
  const body = draft.body ?? nothing;
  const whole = writeSound(random, { ...draft });
  const withFraming = (framing: Header[], bytes: Buffer) => message(draft, framing, bytes);
  const withBytes = (bytes: Buffer) => ({ ...whole, bytes });
  return random.weighted<() => Message>([
    [10, () => withFraming([["Content-Length", String(body.length + random.between(1, 500))]], body)],
    [10, () => withFraming([["Content-Length", String(random.below(body.length + 1))]], body)],
    [10, () => withFraming([["Content-Length", random.pick(wrongLengths)]], body)],
    [
      5,
      () =>
        withFraming(
          [
            ["Content-Length", "1"],
            ["Content-Length", String(body.length)],
          ],
          body,
        ),
    ],
    [8, () => withFraming([["Content-Length", String(body.length)], chunkedHeader], chunked(random, body))],
    [8, () => withFraming([["Transfer-Encoding", random.pick(wrongEncodings)]], chunked(random, body))],
    [10, () => withFraming([chunkedHeader], breakChunks(random, chunked(random, body)))],
    [15, () => withBytes(corrupt(random, whole.bytes))],
    [10, () => withBytes(whole.bytes.subarray(0, random.below(whole.bytes.length)))],
    [5, () => withBytes(Buffer.from(whole.bytes.toString("latin1").replaceAll("\r\n", "\n"), "latin1"))],
    [3, () => withFraming([["X-Folded", "a\r\n b"]], nothing)],
    [
      3,
      () =>
        message({ ...draft, method: "CONNECT", path: random.pick(["x:1", "/", ":", draft.path]) }, [], body),
    ],
    [8, () => withBytes(random.pick(noHttp))],
    [3, () => withBytes(random.bytes(random.between(1, 300)))],
  ])();
}

/** The head and the body, in Latin-1, for a person who looks for a mistake. */
export function show(bytes: Buffer): string {
  const text = JSON.stringify(bytes.subarray(0, 1_000).toString("latin1"));
  return bytes.length > 1_000 ? `${text} … (${bytes.length} bytes)` : text;
}

interface Line {
  method: string;
  path: string;
  version: string;
  host: string | undefined;
}

export function message(draft: Draft & Partial<Line>, framing: Header[], body: Buffer): Message {
  const { method, path, version = "1.1", headers } = draft;
  const host = "host" in draft ? draft.host : "fuzz";
  const fields: Header[] = [...(host === undefined ? [] : [["Host", host] as const]), ...headers, ...framing];
  const head = [`${method} ${path} HTTP/${version}`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  return {
    method,
    path,
    bytes: Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), body]),
  };
}

const nothing = Buffer.alloc(0);
const chunkedHeader: Header = ["Transfer-Encoding", "chunked"];

function chunked(random: Random, body: Buffer): Buffer {
  const parts: (Buffer | string)[] = [];
  const cuts = [0, ...random.cuts(body.length, random.skewed(8)), body.length];
  for (const [index, end] of cuts.entries()) {
    const part = body.subarray(cuts[index - 1] ?? 0, end);
    if (part.length > 0) parts.push(part.length.toString(16), drawExtension(random), "\r\n", part, "\r\n");
  }
  parts.push("0", drawExtension(random), "\r\n", random.chance(10) ? "X-Trailer: a\r\n" : "", "\r\n");
  return Buffer.concat(parts.map((part) => Buffer.from(part as string, "latin1")));
}

function drawExtension(random: Random): string {
  if (random.chance(90)) return "";
  return random.chance(5) ? `;${"x".repeat(20_000)}` : random.pick([";a", ";a=b", ';a="b c"']);
}

function breakChunks(random: Random, bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  const broken = random.pick([
    `zz\r\n${text}`,
    `-1\r\n${text}`,
    `fffffffffffffffff\r\n${text}`,
    `7fffffff\r\n${text}`,
    ` 1\r\na\r\n${text}`,
    `1;\x00\r\na\r\n${text}`,
    text.replace("\r\n", "\n"),
    text.replace(/\r\n0/, "0"),
    text.slice(0, -2),
    text.replace(/0\r\n\r\n$/, ""),
    `5\r\nabcdefg\r\n${text}`,
  ]);
  return Buffer.from(broken, "latin1");
}

const brokenHeaders: readonly Header[] = [
  ["X-Zero", "a\x00b"],
  ["X-Bell", "\x07"],
  ["X Space", "a"],
  ["", "a"],
  ["X-High\x80", "a"],
  ["X-Before ", "a"],
  ["X-Delete", "\x7f"],
];

const wrongLengths = [
  "abc",
  "-1",
  "1e3",
  "0x10",
  "+5",
  "",
  " ",
  "5 5",
  "5, 5",
  "99999999999999999999",
  "4294967296",
];
const wrongEncodings = [
  "gzip",
  "chunked, gzip",
  "gzip, chunked",
  "identity",
  "xchunked",
  "chunked, chunked",
  "",
  "chunked;a=b",
];

const noHttp = [
  "\r\n",
  "\r\n\r\n\r\n\r\n",
  "GET /\r\n",
  "GET",
  "\x00",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "SSH-2.0-x\r\n",
  "*1\r\n$4\r\nPING\r\n",
  "GET / HTTP/1.1\r\nHost",
  "GET / HTTP/1.1\r\nHost: x\r\n: \r\n\r\n",
  "GET / HTTP/1.1\r\n\r\n",
  "GET  /  HTTP/1.1\r\nHost: x\r\n\r\n",
  `GET /${"x".repeat(100_000)}`,
  `GET / HTTP/1.1\r\nX: ${"x".repeat(100_000)}`,
  "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
].map((text) => Buffer.from(text, "latin1"));
