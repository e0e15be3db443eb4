/** Hooks around functions that are given events. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { event, post } from "./support/events";
import { startFramework } from "./support/framework";
import { postJson } from "./support/http";

async function serve(t: TestContext, target: string) {
  const framework = await startFramework([`--target=${target}`], { project: "event-hooks" });
  t.after(() => framework.stop());
  return framework;
}

test("a hook runs around an event function and may change its arguments", async (t) => {
  const { url } = await serve(t, "legacy");

  const reply = await postJson(url, { data: { a: 1 }, context: { eventId: "1" } });

  assert.deepEqual(reply.json(), { data: { a: 1, hooked: true }, context: { eventId: "1" } });
});

test("a hook runs around every event of a batch, in one invocation, and its failure stops the batch", async (t) => {
  const framework = await serve(t, "stored");
  const batch = ["keep", "keep", "refuse", "keep"].map((data, index) => ({
    ...event,
    id: `${index + 1}`,
    data,
  }));

  const reply = await post(
    framework.url,
    { "Content-Type": "application/cloudevents-batch+json" },
    JSON.stringify(batch),
  );
  await framework.says("call 3 of 3\n");

  assert.deepEqual([reply.status, reply.text], [500, "not this one"]);
  assert.deepEqual(framework.stdout.match(/^.*call.*$/gm), [
    "cloudevent call 1 of 1",
    "called with 1, hooked: true",
    "cloudevent call 2 of 2",
    "called with 2, hooked: true",
    "cloudevent call 3 of 3",
  ]);
});
