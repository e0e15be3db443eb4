import assert from "node:assert/strict";
import { test } from "node:test";
import { CloudEvent } from "cloudevents";

import { eventData, invalidAttribute, isCloudEvent } from "../../../src/core/cloudevent";

const event = { id: "1", source: "/s", type: "t", specversion: "1.0" };

const invalid: [title: string, change: object, attribute: string, why: RegExp][] = [
  ...["id", "source", "type", "specversion"].flatMap((name): typeof invalid => [
    [`${name} missing`, { [name]: undefined }, name, /is missing/],
    [`${name} empty`, { [name]: "" }, name, /is missing/],
    [`${name} null`, { [name]: null }, name, /not null/],
    [`${name} a number`, { [name]: 1 }, name, /not number/],
  ]),
  ["specversion 0.3", { specversion: "0.3" }, "specversion", /"1\.0", not "0\.3"/],
  ["subject empty", { subject: "" }, "subject", /not empty/],
  ["subject a number", { subject: 1 }, "subject", /text/],
  ["datacontenttype empty", { datacontenttype: "" }, "datacontenttype", /not empty/],
  ["dataschema an object", { dataschema: {} }, "dataschema", /text/],
  ...["", "soon", "2024-01-01", "2024-01-01T10:00:00", "2024-13-01T10:00:00Z", "2024-01-01 10:00:00Z", 5].map(
    (time): (typeof invalid)[number] => [`time ${time}`, { time }, "time", /RFC 3339/],
  ),
];

test("the first attribute that breaks the specification is named", () => {
  for (const [title, change, attribute, why] of invalid) {
    const found = invalidAttribute({ ...event, ...change });

    assert.equal(found?.attribute, attribute, title);
    assert.match(found?.why ?? "", why, title);
  }
});

const valid: object[] = [
  {},
  { subject: "s", datacontenttype: "text/plain", dataschema: "https://example.com/schema" },
  { subject: null, time: null },
  ...["2024-01-01T10:00:00Z", "2024-01-01t10:00:00.123456789z", "2024-01-01T10:00:00-08:00"].map((time) => ({
    time,
  })),
  { myext: "x", other: 7 },
];

test("what the specification allows is valid", () => {
  for (const more of valid)
    assert.equal(invalidAttribute({ ...event, ...more }), undefined, JSON.stringify(more));
});

test("what counts as a CloudEvent", () => {
  assert.ok(isCloudEvent(event));
  assert.ok(isCloudEvent(new CloudEvent({ source: "/s", type: "t" })));
  for (const value of [null, undefined, "event", [event], { ...event, id: "" }])
    assert.ok(!isCloudEvent(value));
});

const bytes = Buffer.from('{"a":1}');
const data_base64 = bytes.toString("base64");
const data: [title: string, fields: object, value: unknown][] = [
  ["none", {}, undefined],
  ["0", { data: 0 }, 0],
  ["an empty text", { data: "" }, ""],
  ["false", { data: false }, false],
  ["null", { data: null }, null],
  ["an object", { data: { a: 1 } }, { a: 1 }],
  ["base64 without a type", { data_base64 }, bytes],
  ["base64 of an image", { data_base64, datacontenttype: "image/png" }, bytes],
  ["base64 of text", { data_base64, datacontenttype: "text/plain; charset=utf-8" }, '{"a":1}'],
  ["base64 of JSON", { data_base64, datacontenttype: "application/json" }, { a: 1 }],
  ["base64 beside data", { data_base64, data: "other", datacontenttype: "application/vnd.x+json" }, { a: 1 }],
];

test("the data of an event", () => {
  for (const [title, fields, value] of data)
    assert.deepEqual(eventData({ ...event, ...fields }), value, title);
});
