/** `application/cloudevents-batch+json` to a cloudevent function: one call an event, in order. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { event, post } from "./support/events";
import { type Framework, startFramework } from "./support/framework";
import type { Reply } from "./support/http";

const batchType = "application/cloudevents-batch+json";

async function serve(t: TestContext, target: string): Promise<Framework> {
  const framework = await startFramework([`--target=${target}`], { project: "cloudevents" });
  t.after(framework.stop);
  return framework;
}

function postBatch(url: string, value: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  return post(url, { "Content-Type": batchType, ...headers }, JSON.stringify(value));
}

/** A batch of events, one a type. */
const events = (...types: string[]) => types.map((type, index) => ({ ...event, id: `${index + 1}`, type }));

/** The calls since the last look: `begins 1`, `ends 1`. What comes after them is asked for first. */
async function callsUntil(framework: Framework, mark: string): Promise<string[]> {
  assert.equal((await postBatch(framework.url, [{ ...event, id: mark, type: "nothing" }])).status, 204);
  await framework.says(`ends ${mark}\n`);
  const calls: string[] = framework.stdout.match(/^(begins|ends) \S+/gm) ?? [];
  return calls.slice(0, calls.indexOf(`begins ${mark}`));
}

for (const target of ["batch", "batchCallback"]) {
  test(`${target}: one call after the other, then 204 without what they return`, async (t) => {
    const framework = await serve(t, target);

    const reply = await postBatch(framework.url, events("value", "later", "nothing"));

    assert.deepEqual([reply.status, reply.text], [204, ""]);
    assert.deepEqual(await callsUntil(framework, "last"), [
      "begins 1",
      "ends 1",
      "begins 2",
      "ends 2",
      "begins 3",
      "ends 3",
    ]);
  });
}

test("an empty batch is 204, and nothing is called", async (t) => {
  const framework = await serve(t, "batch");

  const reply = await postBatch(framework.url, []);

  assert.equal(reply.status, 204);
  assert.deepEqual(await callsUntil(framework, "last"), []);
});

test("a value that cannot be sent fails nothing, as values are dropped", async (t) => {
  const framework = await serve(t, "batch");

  assert.equal((await postBatch(framework.url, events("bigint", "nothing"))).status, 204);
});

function assertError(reply: Reply, text: RegExp): void {
  assert.equal(reply.status, 500);
  assert.match(reply.text, text);
  assert.equal(reply.headers["x-google-status"], "error");
  assert.equal(reply.headers["x-openfunction-status"], "error");
}

for (const [target, type, text, calls] of [
  ["batch", "throws", /^no luck$/, ["begins 1", "ends 1", "begins 2"]],
  ["batch", "rejects-null", /^null$/, ["begins 1", "ends 1", "begins 2"]],
  ["batch", "timer", /^in a timer$/, ["begins 1", "ends 1", "begins 2", "ends 2"]],
  ["batchCallback", "error", /^given to the callback$/, ["begins 1", "ends 1", "begins 2", "ends 2"]],
] as const) {
  test(`${target}: the first failure is the answer, and what comes after it is not called: ${type}`, async (t) => {
    const framework = await serve(t, target);

    const reply = await postBatch(framework.url, events("nothing", type, "nothing"));

    assertError(reply, text);
    assert.deepEqual(await callsUntil(framework, "last"), calls);
  });
}

test("an event of a batch is read as in structured mode", async (t) => {
  const framework = await serve(t, "batch");
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const own = "00-11111111111111111111111111111111-b7ad6b7169203331-01";
  const [first, second] = events("nothing", "nothing");

  const sent = [
    { ...first, myext: 7, datacontenttype: "application/json", data_base64: "eyJhIjoxfQ==" },
    { ...second, traceparent: own, data: null },
  ];
  const reply = await postBatch(framework.url, sent, { traceparent, "ce-id": "in the header" });
  await framework.says("ends 2\n");

  const seen = [...framework.stdout.matchAll(/^begins \d (.*)$/gm)].map(([, text = ""]) => JSON.parse(text));
  assert.equal(reply.status, 204);
  assert.deepEqual(seen, [
    { ...first, myext: 7, datacontenttype: "application/json", data: { a: 1 }, traceparent },
    { ...second, traceparent: own, data: null },
  ]);
});

const good = { ...event, type: "nothing" };
const base64 = (text: string) => Buffer.from(text).toString("base64");
const refusals: [title: string, says: RegExp, batch: unknown][] = [
  ["a bad first entry", /index 0 .*"id" is missing/, [{ ...good, id: undefined }, good]],
  [
    "a bad last entry",
    /index 2 .*"specversion" must be "1\.0"/,
    [good, good, { ...good, specversion: "0.3" }],
  ],
  ["two bad entries", /index 1 .*"time"/, [good, { ...good, time: "soon" }, { ...good, id: "" }]],
  ...[null, 7, "event", [good], true].map((entry): (typeof refusals)[number] => [
    `an entry ${JSON.stringify(entry)}`,
    /index 1 .*no object/,
    [good, entry],
  ]),
  [
    "an entry with broken JSON in base64",
    /index 1 .*broken JSON/,
    [good, { ...good, datacontenttype: "application/json", data_base64: base64("{") }],
  ],
  [
    "a legacy event",
    /index 0 .*"id" is missing/,
    [{ data: {}, eventId: "1", eventType: "google.pubsub.topic.publish", resource: "projects/p/topics/t" }],
  ],
  ...[{}, good, null, 7, "text"].map((batch): (typeof refusals)[number] => [
    `the body ${JSON.stringify(batch).slice(0, 20)}`,
    /must be a JSON array/,
    batch,
  ]),
];

test("one bad entry refuses the whole batch, naming its index", async (t) => {
  const framework = await serve(t, "batch");

  for (const [title, says, batch] of refusals) {
    await t.test(title, async () => {
      const reply = await postBatch(framework.url, batch);

      assert.equal(reply.status, 400);
      assert.match(reply.text, says);
      assert.doesNotMatch(reply.text, /\n/);
      assert.equal(reply.headers["x-google-status"], undefined);
    });
  }
  await t.test("broken JSON", async () => {
    const reply = await post(framework.url, { "Content-Type": batchType }, "[{");
    assert.equal(reply.status, 400);
    assert.match(reply.text, /broken JSON/);
  });
  await t.test("nothing", async () => {
    const reply = await post(framework.url, { "Content-Type": batchType });
    assert.equal(reply.status, 400);
    assert.match(reply.text, /must be a JSON array/);
  });

  assert.deepEqual(await callsUntil(framework, "last"), []);
});

test("a thousand events in one batch are called in their order", async (t) => {
  const framework = await serve(t, "batch");
  const many = Array.from({ length: 1000 }, (_, index) => ({ ...good, id: `n${index}` }));

  assert.equal((await postBatch(framework.url, many)).status, 204);

  const begun = (await callsUntil(framework, "last")).filter((call) => call.startsWith("begins"));
  assert.deepEqual(
    begun,
    many.map(({ id }) => `begins ${id}`),
  );
});
