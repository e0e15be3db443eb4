/** Bodies: types and charsets, right and wrong, compressed well and badly. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";

import type { Header } from "./draft";
import type { Random } from "./random";
import { drawDeepJson, drawValue } from "./values";

export interface Body {
  headers: Header[];
  body: Buffer;
}

/** `values` are the objects that the function understands, one of which is sent now and then. */
export function drawBody(random: Random, values: readonly unknown[] = []): Body {
  const [type, bytes] = random.weighted<() => readonly [string, Buffer]>([
    [40, () => ["application/json", drawJson(random, values)]],
    [15, () => ["application/x-www-form-urlencoded", Buffer.from(drawForm(random), "latin1")]],
    [15, () => ["text/plain", drawText(random)]],
    [10, () => ["application/octet-stream", random.bytes(random.skewed(300))]],
    [5, () => ["multipart/form-data; boundary=x", Buffer.from(multipart)]],
    [4, () => ["application/xml", Buffer.from("<a>&b;</a>")]],
    [2, () => ["application/json", Buffer.alloc(random.between(50_000, 200_000), " []{}")]],
  ])();
  return drawCoding(random, { headers: drawType(random, type), body: bytes });
}

/** A content type: the one that fits, with parameters, another, or none. */
export function drawType(random: Random, fitting: string): Header[] {
  const type = random.weighted([
    [60, fitting],
    [
      20,
      `${fitting}${random.pick(["; charset=", ";charset=", '; Charset="', "; a=b; charset = "])}${random.pick(charsets)}`,
    ],
    [10, random.pick(otherTypes)],
  ]);
  return random.chance(8) ? [] : [["Content-Type", type]];
}

/** A content coding: mostly none; one that fits, one that does not, one that nobody knows. */
export function drawCoding(random: Random, { headers, body }: Body): Body {
  if (random.chance(75)) return { headers, body };
  const [name, encode] = random.pick(codings);
  const whole = encode(body);
  const encoded = random.weighted<() => Buffer>([
    [50, () => whole],
    [15, () => whole.subarray(0, random.below(whole.length + 1))],
    [15, () => corrupt(random, whole)],
    [5, () => Buffer.concat([whole, random.bytes(random.between(1, 50))])],
    [5, () => Buffer.concat([whole, whole])],
    [5, () => body],
    [3, () => random.pick(bombs)],
    [2, () => Buffer.alloc(0)],
  ])();
  return { headers: [...headers, ["Content-Encoding", name]], body: encoded };
}

/** Some bytes are others. */
export function corrupt(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let count = random.between(1, 4); count > 0 && copy.length > 0; count--)
    copy[random.below(copy.length)] = random.below(256);
  return copy;
}

function drawJson(random: Random, values: readonly unknown[]): Buffer {
  if (random.chance(3)) return Buffer.from(drawDeepJson(random));
  const isKnown = values.length > 0 && random.chance(50);
  const text = JSON.stringify(isKnown ? random.pick(values) : drawValue(random));
  return random.weighted<() => Buffer>([
    [75, () => Buffer.from(text)],
    [5, () => Buffer.from(text.slice(0, random.below(text.length + 1)))],
    [5, () => corrupt(random, Buffer.from(text))],
    [3, () => Buffer.from(`\uFEFF${text}`)],
    [3, () => Buffer.from(text, "utf16le")],
    [3, () => Buffer.from(` \t\r\n${text}\n\n`)],
    [
      3,
      () =>
        Buffer.from(random.pick(["", " ", "nul", "NaN", "01", "'a'", "{a:1}", '{"a":1,}', '"\\u00"', "[1}"])),
    ],
  ])();
}

function drawForm(random: Random): string {
  if (random.chance(3)) return "a=1&".repeat(random.pick([999, 1000, 1001, 5000]));
  const pair = () => `${random.pick(formNames)}=${random.pick(formValues)}`;
  return random.times(random.skewed(12), pair).join("&");
}

function drawText(random: Random): Buffer {
  return random.pick([
    Buffer.from("a text"),
    Buffer.from("ä€😀"),
    Buffer.from([0xff, 0xfe, 0x41]),
    Buffer.from([0xed, 0xa0, 0x80, 0x00]),
    Buffer.from(`\uFEFFtext`),
    random.bytes(random.skewed(100)),
    Buffer.alloc(random.skewed(5_000), "line\r\n"),
  ]);
}

const multipart =
  '--x\r\nContent-Disposition: form-data; name="__proto__"; filename="a"\r\n\r\nb\r\n--x--\r\n';

const charsets = [
  "utf-8",
  "UTF8",
  "utf-16le",
  "utf-16",
  "utf-32",
  "utf-7",
  "iso-8859-1",
  "latin1",
  "windows-1252",
  "shift_jis",
  "gb18030",
  "euc-kr",
  "iso-2022-jp",
  "x-user-defined",
  "replacement",
  "__proto__",
  "",
  "x".repeat(200),
];

const otherTypes = [
  "application/json",
  "application/json;",
  "application/vnd.x+json",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
  "text/plain",
  "text/html; charset=",
  "application/x-www-form-urlencoded",
  "image/png",
  "json",
  "/",
  "a/b/c",
  ";",
  "",
  "\xff/\xff",
  "application/json, text/plain",
];

const codings: readonly (readonly [name: string, encode: (bytes: Buffer) => Buffer])[] = [
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["GZIP", gzipSync],
  ["deflate", deflateSync],
  ["deflate", deflateRawSync],
  ["br", brotliCompressSync],
  ["identity", (bytes) => bytes],
  ["gzip, gzip", (bytes) => gzipSync(gzipSync(bytes))],
  ["zstd", (bytes) => bytes],
  ["constructor", (bytes) => bytes],
  ["", (bytes) => bytes],
];

const zeros = Buffer.alloc(4 * 1024 ** 2);
const bombs = [gzipSync(zeros), brotliCompressSync(zeros)];

const formNames = [
  "a",
  "a[b]",
  "a[b][c][d][e][f]",
  "a[]",
  "a[100000]",
  "a[",
  "]",
  "__proto__",
  "__proto__[polluted]",
  "constructor[prototype][polluted]",
  "hasOwnProperty",
  "toString[a]",
  "",
  "%",
  "%5B%5D",
  "\xff",
  `a${"[b]".repeat(50)}`,
];
const formValues = ["1", "", "%", "%zz", "%00", "a+b", "%F0%9F%98%80", "=", "\xe4", "x".repeat(200)];
