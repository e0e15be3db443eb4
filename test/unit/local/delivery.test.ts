import assert from "node:assert/strict";
import { test } from "node:test";

import type { TopicStatus } from "../../../src/dapr/protocol";
import { createDelivery } from "../../../src/local/delivery";
import { type DeliveryNews, listen } from "../../../src/telemetry/channels";
import { deferred } from "../../support/wait";

const backoff = { initial: 1, factor: 2, max: 4 };
const ready = () => Promise.resolve();

function setUp({ whenReady = ready as (signal: AbortSignal) => Promise<void> } = {}) {
  const stopping = new AbortController();
  const deliver = createDelivery({ function: "f", whenReady, backoff, signal: stopping.signal });
  const item = (id: string, attempt: () => Promise<TopicStatus>) => ({
    id,
    component: "c",
    topic: "t",
    attempt,
  });
  return { deliver, item, stopping };
}

test("a message is tried again until the app has it", async () => {
  const { deliver, item } = setUp();
  const news: DeliveryNews[] = [];
  const stop = listen("delivery", (one) => news.push(one));
  const answers: (TopicStatus | Error)[] = ["RETRY", new Error("connection refused"), "RETRY", "SUCCESS"];

  await deliver(
    item("m", async () => {
      const answer = answers.shift() as TopicStatus | Error;
      if (answer instanceof Error) throw answer;
      return answer;
    }),
  );
  stop();

  assert.deepEqual(
    news.map(({ attempt, outcome }) => `${attempt} ${outcome}`),
    ["1 retry", "2 retry", "3 retry", "4 ack"],
  );
});

test("a dropped message is not tried again", async () => {
  const { deliver, item } = setUp();
  let calls = 0;
  const drop = async () => {
    calls++;
    return "DROP" as const;
  };

  await deliver(item("m", drop));

  assert.equal(calls, 1);
});

test("a dropped message goes to its dead letter topic, tried until it is there", async () => {
  const { deliver, item } = setUp();
  let tries = 0;
  const onDrop = async () => {
    if (++tries < 3) throw new Error("the broker is away");
  };

  await deliver({ ...item("m", async () => "DROP"), onDrop });

  assert.equal(tries, 3);
});

test("a message that fails waits by itself and holds up no other", async () => {
  const { deliver, item, stopping } = setUp();
  const failing = deliver(item("bad", async () => "RETRY"));

  const good = await Promise.all(
    Array.from({ length: 50 }, (_, i) => deliver(item(`good-${i}`, async () => "SUCCESS"))),
  );
  stopping.abort(new Error("the end"));

  assert.equal(good.length, 50);
  await assert.rejects(failing);
});

test("nothing is attempted before the app is ready, and a stop ends the wait", async () => {
  const gate = deferred();
  const { deliver, item } = setUp({ whenReady: () => gate.promise });
  let calls = 0;
  const accept = async () => {
    calls++;
    return "SUCCESS" as const;
  };
  const waiting = deliver(item("m", accept));

  assert.equal(calls, 0);
  gate.resolve();

  await waiting;
  assert.equal(calls, 1);
});
