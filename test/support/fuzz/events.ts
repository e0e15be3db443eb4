/** CloudEvents: binary, structured, in a batch, in an envelope of Dapr's, with an attribute that is wrong now and then. */
import { type Body, drawBody, drawCoding, drawType } from "./bodies";
import type { Header } from "./draft";
import type { Random } from "./random";
import { drawValue } from "./values";

export function drawEvent(random: Random): Body {
  return random.weighted<() => Body>([
    [45, () => drawBinary(random)],
    [40, () => drawJsonEvent(random, "application/cloudevents+json", drawAttributes(random))],
    [
      8,
      () =>
        drawJsonEvent(
          random,
          "application/cloudevents-batch+json",
          random.times(random.skewed(4), () => drawAttributes(random)),
        ),
    ],
    [7, () => drawJsonEvent(random, "application/json", drawAttributes(random))],
  ])();
}

function drawBinary(random: Random): Body {
  const { headers, body } = drawBody(random);
  const attributes = Object.entries(drawAttributes(random)).flatMap(([name, value]): Header[] =>
    isHeader(name, value) ? [[`${random.pick(["ce-", "ce-", "Ce-", "CE-"])}${name}`, value]] : [],
  );
  return { headers: [...attributes, ...headers], body };
}

// As every client can send it.
function isHeader(name: string, value: unknown): value is string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(name) && typeof value === "string" && /^[\t\x20-\xff]*$/.test(value);
}

function drawJsonEvent(random: Random, type: string, value: unknown): Body {
  return drawCoding(random, { headers: drawType(random, type), body: Buffer.from(JSON.stringify(value)) });
}

function drawAttributes(random: Random): Record<string, unknown> {
  const event = Object.fromEntries([
    ...Object.entries({ id: "1", source: "/fuzz", type: random.pick(types), specversion: "1.0" }),
    ...random.times(random.skewed(4), () => random.pick(extras)),
    ...(random.chance(60) ? [[random.pick(["data", "data", "data_base64"]), drawData(random)]] : []),
  ]) as Record<string, unknown>;
  if (random.chance(20)) {
    const name = random.pick(["id", "source", "type", "specversion"]);
    if (random.chance(50)) delete event[name];
    else event[name] = random.pick(wrong);
  }
  return event;
}

function drawData(random: Random): unknown {
  return random.chance(25) ? random.pick(["aGVsbG8=", "eyJhIjoxfQ==", "!!!", "", 5]) : drawValue(random);
}

const types = ["tested", "undefined", "text", "throws", "com.example.made"];
const wrong = ["", " ", null, 5, {}, [], "0.3", "2.0", "%", "\xe4", "a".repeat(3_000)];

const extras: readonly (readonly [name: string, value: unknown])[] = [
  ["subject", "s"],
  ["subject", ""],
  ["subject", "%E2%82%AC%20"],
  ["subject", "%"],
  ["time", "2024-02-29T12:00:00Z"],
  ["time", "yesterday"],
  ["time", "2024-99-99T99:99:99Z"],
  ["datacontenttype", "application/json"],
  ["datacontenttype", "text/plain; charset=utf-16le"],
  ["datacontenttype", "text/plain; charset=nope"],
  ["datacontenttype", "a\r\nb"],
  ["datacontenttype", 5],
  ["dataschema", "http://example.com/"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  ["pubsubname", "stream"],
  ["topic", "created"],
  ["ext", "\ud800"],
  ["ext", true],
  ["ext", { a: 1 }],
  ["a b", "x"],
  ["__proto__", "x"],
  ["constructor", "x"],
  ["toJSON", "x"],
  ["data", "a header"],
];
