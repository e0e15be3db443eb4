/** Headers that any request may carry; those of the body and of the framing are drawn elsewhere. */
import type { Header } from "./draft";
import type { Random } from "./random";

/** Names are tokens, values have no control characters but the tab: every client can send them. */
export function drawHeaders(random: Random): Header[] {
  const drawn = random.times(random.skewed(5), () => drawHeader(random));
  if (drawn.length > 0 && random.chance(10)) drawn.push(random.pick(drawn));
  if (random.chance(1)) drawn.push(["X-Huge", random.text(1, "xÿ,").repeat(random.between(1_000, 20_000))]);
  if (random.chance(1)) drawn.push(...random.times(random.between(50, 300), (): Header => ["X-Many", "1"]));
  return drawn;
}

function drawHeader(random: Random): Header {
  const [name, values] = random.pick(known);
  return random.weighted<() => Header>([
    [60, () => [name, random.pick(values)]],
    [15, () => [name, random.text(random.skewed(40), valueCharacters)]],
    [15, () => [random.pick(oddNames), random.pick(oddValues)]],
    [10, () => [random.text(random.between(1, 20), tokenCharacters), random.pick(oddValues)]],
  ])();
}

const tokenCharacters = "abcXYZ019!#$%&'*+-.^_`|~";
const valueCharacters = " \t!\"#%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\x80\xe4\xff";

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

const known: readonly (readonly [name: string, values: readonly string[]])[] = [
  ["Accept", ["*/*", "application/json", "application/json;q=0.5, application/problem+json", ",,;", ""]],
  ["Connection", ["keep-alive", "close", "Upgrade", "keep-alive, X-A", "CLOSE", ", ,"]],
  ["Expect", ["100-continue", "100-Continue", "200-ok", ""]],
  ["Upgrade", ["websocket", "h2c", "foo/2", ""]],
  ["If-None-Match", ["*", '"x"', 'W/"x", "y"']],
  ["If-Modified-Since", ["Thu, 01 Jan 1970 00:00:00 GMT", "never"]],
  ["Range", ["bytes=0-1", "bytes=9-1", "bytes=-"]],
  ["Cookie", ["a=b", "__proto__=x; =; a", ";;;"]],
  ["X-Forwarded-For", ["1.2.3.4", "1.2.3.4, ::1", ",", "unknown", "<script>"]],
  ["X-Forwarded-Proto", ["https", "https,http", ""]],
  ["X-Forwarded-Host", ["example.com:99999", "[::1", ","]],
  ["traceparent", [trace, `${trace}-x`, "00-0-0-0", "ff-", trace.toUpperCase()]],
  ["tracestate", ["a=b", "=,=,=", ""]],
  ["X-Cloud-Trace-Context", ["105445aa7843bc8bf206b12000100000/1;o=1", "/;o=", "x/99999999999999999999"]],
  ["Function-Execution-Id", ["abc123", "", "a b", "x".repeat(200)]],
  ["pubsubname", ["stream", "__proto__"]],
  ["dapr-api-token", ["wrong", ""]],
  ["TE", ["trailers", "chunked"]],
  ["Content-Type", ["application/json", "text/plain", "x"]],
  ["Content-Encoding", ["gzip", "identity"]],
  ["ce-id", ["1", ""]],
];

const oddNames = [
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "x-__proto__",
  "ce-__proto__",
  "ce-",
  "ce-data",
  "ce-constructor",
  "Sec-Fetch-Site",
  "Keep-Alive",
  "Proxy-Connection",
  "Set-Cookie",
  "Origin",
];

const oddValues = [
  "",
  " ",
  "\t",
  "x",
  "a,b",
  "%",
  "%00",
  "%E0%A4%A",
  "\xc3\xa4",
  "\xff\xfe",
  "null",
  "undefined",
  "[object Object]",
  '"',
  "\\",
  "$" + "{x}",
  "x".repeat(2000),
];
