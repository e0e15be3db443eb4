/** The conformance checks of the functions framework contract, sent as its client sends them. */
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { CloudEvent } from "cloudevents";

import { makeProject } from "../support/project";
import { conformanceEvents, type EventJson, type LegacyJson } from "./support/conformance-events";
import { post } from "./support/events";
import { startFramework } from "./support/framework";
import { postJson, type Reply } from "./support/http";

const source = resolve(__dirname, "../fixtures/conformance");

/** A function of the fixture, and what it has written. Its working folder is a temp folder. */
async function serve(t: TestContext, target: string, signature?: string) {
  const project = makeProject(t, {});
  const env: Record<string, string> = signature ? { FUNCTION_SIGNATURE_TYPE: signature } : {};
  const framework = await startFramework([`--target=${target}`, `--source=${source}`], { project, env });
  t.after(() => framework.stop());
  const file = join(project, "function_output.json");
  return {
    url: framework.url,
    async written() {
      const text = await readFile(file, "utf8");
      await rm(file); // so that the next event cannot be taken for this one
      return JSON.parse(text);
    },
  };
}

// The wire form of the Go SDK: no ce-datacontenttype, the content type says it.
function postEvent(url: string, event: EventJson): Promise<Reply> {
  const headers = {
    "Ce-Id": event.id,
    "Ce-Source": event.source,
    "Ce-Specversion": "1.0",
    "Ce-Subject": event.subject,
    "Ce-Time": event.time,
    "Ce-Type": event.type,
    "Content-Type": event.datacontenttype,
  };
  return post(url, headers, JSON.stringify(event.data));
}

function assertEvent(written: Record<string, unknown>, { time, ...expected }: EventJson): void {
  assert.ok(new CloudEvent(written).validate());
  assert.equal(written.specversion, "1.0");
  assert.equal(Date.parse(String(written.time)), Date.parse(time));
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(written[name], value, name);
  assert.equal("subject" in written, "subject" in expected);
}

function assertLegacy(written: LegacyJson, { data, context }: LegacyJson): void {
  const { timestamp, ...rest } = context;
  const { timestamp: writtenTimestamp, ...writtenRest } = written.context;
  assert.deepEqual(written.data, data);
  assert.deepEqual(writtenRest, rest);
  assert.equal(Date.parse(writtenTimestamp), Date.parse(timestamp));
}

test("there are seventeen events", () => {
  assert.equal(new Set(conformanceEvents.map(({ name }) => name)).size, 17);
});

for (const [target, signature] of [["writeHttp", "http"], ["declaredHttp"]] as const) {
  test(`${target}: a JSON body arrives`, async (t) => {
    const served = await serve(t, target, signature);

    const { status } = await postJson(served.url, { res: "PASS" });

    assert.equal(status, 200);
    assert.deepEqual(await served.written(), { res: "PASS" });
  });
}

test("a JSON body comes back", async (t) => {
  const { url } = await serve(t, "echo", "http");
  const sent = { message: "Hello, wörld" };

  const reply = await postJson(url, sent);

  assert.deepEqual([reply.status, reply.json()], [200, { payload: sent }]);
});

for (const [target, signature] of [["writeCloudEvent", "cloudevent"], ["declaredCloudEvent"]] as const) {
  test(`${target}: all events arrive, sent as CloudEvents and as legacy events`, async (t) => {
    const served = await serve(t, target, signature);

    for (const { name, event, legacy, convertedEvent = event } of conformanceEvents) {
      await t.test(`${name} as a CloudEvent`, async () => {
        assert.equal((await postEvent(served.url, event)).status, 204);
        assertEvent(await served.written(), event);
      });
      await t.test(`${name} as a legacy event`, async () => {
        assert.equal((await postJson(served.url, legacy)).status, 204);
        assertEvent(await served.written(), convertedEvent);
      });
    }
  });
}

for (const [target, signature] of [["writeLegacyEvent", "event"], ["declaredLegacyEvent"]] as const) {
  test(`${target}: all events arrive, sent as legacy events and as CloudEvents`, async (t) => {
    const served = await serve(t, target, signature);

    for (const { name, event, legacy, written, convertedWritten = written } of conformanceEvents) {
      await t.test(`${name} as a legacy event`, async () => {
        assert.equal((await postJson(served.url, legacy)).status, 204);
        assertLegacy(await served.written(), written);
      });
      await t.test(`${name} as a CloudEvent`, async () => {
        assert.equal((await postEvent(served.url, event)).status, 204);
        assertLegacy(await served.written(), convertedWritten);
      });
    }
  });
}

const [auth] = conformanceEvents;
const together: [target: string, signature: string, send: (url: string) => Promise<Reply>, status: number][] =
  [
    ["meetHttp", "http", (url) => postJson(url, { data: "hello" }), 200],
    ["meetCloudEvent", "cloudevent", (url) => postJson(url, auth?.legacy), 204],
    ["meetLegacyEvent", "event", (url) => postJson(url, auth?.legacy), 204],
  ];

for (const [target, signature, send, status] of together) {
  test(`${target}: ten requests are in flight at once`, async (t) => {
    const { url } = await serve(t, target, signature);

    const replies = await Promise.all(Array.from({ length: 10 }, () => send(url)));

    assert.deepEqual(new Set(replies.map((reply) => reply.status)), new Set([status]));
  });
}
