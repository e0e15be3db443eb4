/** Methods and paths: usual ones, and those that somebody will send one day. */
import type { Audience } from "./draft";
import type { Random } from "./random";

export function drawMethod(random: Random, { takes }: Audience): string {
  if (takes !== "requests" && random.chance(85)) return "POST";
  return random.weighted([
    [30, "GET"],
    [30, "POST"],
    [8, "PUT"],
    [5, "HEAD"],
    [5, "OPTIONS"],
    [5, "DELETE"],
    [5, "PATCH"],
    [4, random.pick(otherMethods)],
  ]);
}

const otherMethods = ["TRACE", "PROPFIND", "PURGE", "MKCOL", "SEARCH", "REPORT", "M-SEARCH", "LINK", "ACL"];

/** Characters from `!` to `ÿ`, as every client may write them. */
export function drawPath(random: Random, { paths, rarePaths = [] }: Audience): string {
  const path = random.weighted<() => string>([
    [70, () => random.pick(paths)],
    [rarePaths.length > 0 ? 1 : 0, () => random.pick(rarePaths)],
    [15, () => random.pick(oddPaths)],
    [10, () => `/${random.times(random.between(1, 4), () => random.pick(oddSegments)).join("/")}`],
    [3, () => `/${random.text(random.skewed(60), printable)}`],
    [1, () => `/${random.text(1, "ax%").repeat(random.between(1000, 20_000))}`],
  ])();
  return random.chance(35) ? `${path}?${drawQuery(random)}` : path;
}

const printable = String.fromCharCode(...Array.from({ length: 0xff - 0x21 + 1 }, (_, index) => 0x21 + index));

const oddPaths = [
  "/",
  "//",
  "///etc//passwd",
  "/favicon.ico",
  "/FAVICON.ICO/x",
  "/robots.txt",
  "/%",
  "/%zz",
  "/%E0%A4%A",
  "/%c3%28",
  "/%00",
  "/%2e%2e%2f",
  "/../../etc/passwd",
  "/a%2Fb",
  "/%F0%9F%98%80",
  "/\xff\xfe",
  "/a;b=c",
  "/a#b",
  "/__proto__",
  "/constructor",
  "/hasOwnProperty",
  "*",
  "a",
  "?",
  "http://example.com/ok",
  "http://example.com",
  "http://[::1/x",
  "http://a:b@c:99999/",
  "HTTPS://:80/%",
  "//example.com/x",
  "\\\\host\\share",
  "/healthz",
  "/metrics",
  "/dapr/subscribe",
  "/dapr/config",
  "/dapr/events/x/y",
];

const oddSegments = [
  "",
  ".",
  "..",
  "a",
  "%20",
  "%25",
  "%2525",
  "%",
  "%c0%af",
  "%u0041",
  "%ED%A0%80",
  "toString",
  "__proto__",
  "\xe4",
  "a:b",
  ":id",
  "*",
  "{*x}",
  "(x)",
  "~",
  "x".repeat(300),
];

function drawQuery(random: Random): string {
  const pair = () => `${random.pick(queryNames)}=${random.pick(queryValues)}`;
  return random.chance(3)
    ? random.times(random.between(200, 1200), pair).join("&").slice(0, 14_000)
    : random.times(random.between(0, 4), pair).join(random.pick(["&", "&", "&&", ";"]));
}

const queryNames = [
  "a",
  "a[b]",
  "a[]",
  "__proto__",
  "__proto__[polluted]",
  "constructor",
  "hasOwnProperty",
  "",
  "%",
  "\xe9",
];
const queryValues = [
  "1",
  "",
  "%",
  "%zz",
  "%00",
  "a+b",
  "%F0%9F%98%80",
  "=",
  "?",
  "__proto__",
  "x".repeat(100),
  "\xff",
];
