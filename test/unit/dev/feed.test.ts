/** The events for one reader: from the moment it asks, line by line, bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createEmit, type DevEvent } from "../../../src/dev/events";
import { createFeed } from "../../../src/dev/feed";

function start() {
  const feed = createFeed();
  const ending = new AbortController();
  return { emit: createEmit(feed.tell), follow: () => feed.follow(ending.signal), end: () => ending.abort() };
}

async function textsOf(events: AsyncIterable<DevEvent>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { event, data } of events) texts.push(event === "log" ? data.text : event);
  return texts;
}

test("a reader is told what comes after it has asked, whenever it reads, and the rest at its end", async () => {
  const { emit, follow, end } = start();

  emit("log", { stream: "stdout", text: "before\n" }, "f");
  const events = follow();
  emit("log", { stream: "stdout", text: "one\ntw" }, "f");
  const first = await events.next();
  emit("log", { stream: "stdout", text: "o\nopen" }, "f");
  emit("notice", { text: "for people only" });
  emit("stopped", { reason: "enough" });
  end();
  emit("log", { stream: "stdout", text: "after\n" }, "f");

  assert.deepEqual(first.value?.data, { stream: "stdout", text: "one" });
  assert.deepEqual(await textsOf(events), ["two", "open", "stopped"]);
});

test("a reader that does not keep up misses the oldest, and holds no more than its room", async () => {
  const { emit, follow, end } = start();
  const events = follow();

  for (let n = 1; n <= 1_000; n++)
    emit("log", { stream: "stdout", text: `${n}${" ".repeat(10_000)}\n` }, "f");
  end();
  const texts = await textsOf(events);

  const numbers = texts.map(Number);
  assert.ok(texts.join("").length <= 1024 * 1024);
  assert.ok(numbers.length > 50);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => 1_001 - numbers.length + index),
  );
});

test("an event that is larger than the room is told all the same", async () => {
  const { emit, follow, end } = start();
  const events = follow();

  emit("log", { stream: "stdout", text: `${"x".repeat(2 * 1024 * 1024)}\n` }, "f");
  end();

  assert.equal((await textsOf(events))[0]?.length, 2 * 1024 * 1024);
});

test("who asks for what has ended already gets nothing", async () => {
  const { follow, end } = start();

  end();

  assert.deepEqual(await textsOf(follow()), []);
});
