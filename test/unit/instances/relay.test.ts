/** The output of several processes through one stream. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createRelay } from "../../../src/instances/relay";
import { createTestClock, settle } from "../../support/clock";

/** A stream whose reader takes what the test lets it take. */
function setUp({ isStalled = false } = {}) {
  const clock = createTestClock();
  const written: Buffer[] = [];
  let held: ((err?: Error) => void)[] = [];
  const target = {
    write(bytes: Buffer, callback: (err?: Error | null) => void) {
      written.push(bytes);
      if (isStalled) held.push(callback);
      else setImmediate(callback);
      return true;
    },
  };
  return {
    clock,
    relay: createRelay(target as never, clock),
    text: () => Buffer.concat(written).toString("latin1"),
    size: () => written.reduce((sum, bytes) => sum + bytes.length, 0),
    stall() {
      isStalled = true;
    },
    /** All that was written so far is taken, or fails. */
    async take(err?: Error) {
      const callbacks = held;
      held = [];
      for (const callback of callbacks) callback(err);
      await settle();
    },
  };
}

const bytes = (text: string) => Buffer.from(text, "latin1");

test("lines of two come whole, whatever the pieces", async () => {
  const { relay, text } = setUp();
  const [one, other] = [relay.open(), relay.open()];

  void one.write(bytes("a1 beg"));
  void other.write(bytes("b1\nb2\nb3 beg"));
  void one.write(bytes("ins\na2\n"));
  void other.write(bytes("ins\n"));

  assert.equal(text(), "b1\nb2\na1 begins\na2\nb3 begins\n");
});

test("bytes are what they were, with no newline at the end too", async () => {
  const { relay, text } = setUp();
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const source = relay.open();

  for (const byte of all) void source.write(Buffer.of(byte));
  source.end();
  await relay.settled();

  assert.equal(text(), all.toString("latin1"));
});

test("what nobody finishes comes after 200 ms, and the next of another begins a line of its own", async () => {
  const { relay, text, clock } = setUp();
  const [one, other] = [relay.open(), relay.open()];
  void one.write(bytes("name? "));
  assert.equal(text(), "");

  await clock.pass(200);
  assert.equal(text(), "name? ");
  void other.write(bytes("b\n"));
  await clock.pass(199);
  assert.equal(text(), "name? ", "its line is open for a while");
  await clock.pass(1);
  void one.write(bytes("Ada\n"));

  assert.equal(text(), "name? \nb\nAda\n");
});

test("bytes that trickle are held 200 ms, not as long as they trickle", async () => {
  const { relay, text, clock } = setUp();
  const source = relay.open();

  for (let piece = 0; piece < 4; piece++) {
    void source.write(bytes("."));
    await clock.pass(60);
  }

  assert.equal(text(), "....");
});

test("a line of a megabyte is held to 64 KiB and still comes whole", async () => {
  const { relay, text } = setUp();
  const [one, other] = [relay.open(), relay.open()];
  const piece = "x".repeat(60_000);

  void one.write(bytes(piece));
  assert.equal(text(), "");
  void other.write(bytes("b1\n"));
  for (let count = 1; count < 18; count++) {
    await one.write(bytes(piece));
    void other.write(bytes(`b${count + 1}\n`));
  }
  await one.write(bytes("\n"));
  await settle();

  const lines = text().split("\n");
  assert.deepEqual([lines[0], lines[1]?.length], ["b1", 18 * 60_000]);
  assert.equal(lines.length, 2 + 17 + 1);
});

test("one that never ends its line does not keep the others waiting for ever", async () => {
  const { relay, text, clock } = setUp();
  const [one, other] = [relay.open(), relay.open()];
  void one.write(bytes("."));
  await clock.pass(200);
  const waits = other.write(bytes("b\n"));

  for (let piece = 0; piece < 70; piece++) {
    await one.write(bytes("."));
    await clock.pass(100);
  }
  await waits;

  assert.match(text(), /^\.{60,70}\nb\n\.+$/);
});

test("the rest of one that has ended comes, and does not touch the next line", async () => {
  const { relay, text } = setUp();
  const [one, other] = [relay.open(), relay.open()];

  void one.write(bytes("half a li"));
  one.end();
  void other.write(bytes("b\n"));
  other.end();
  await relay.settled();

  assert.equal(text(), "half a li\nb\n");
});

test("a reader that stalls holds back all, a bounded part is kept, and nothing is lost", async () => {
  const { relay, text, take, size, clock } = setUp({ isStalled: true });
  const line = `${"x".repeat(999)}\n`;
  let written = 0;
  const writers = Array.from({ length: 4 }, async () => {
    const source = relay.open();
    for (let count = 0; count < 200; count++) {
      const room = source.write(bytes(line.repeat(10)));
      written += line.length * 10;
      await room;
    }
    source.end();
  });
  await clock.pass(60_000);

  assert.ok(written < 4 * 20_000 + 80_000, `${written} bytes were taken`);
  assert.ok(size() < 100_000, `${size()} bytes were written`);
  const settled = relay.settled();
  let isSettled = false;
  void settled.then(() => {
    isSettled = true;
  });
  while (!isSettled) await take();
  await Promise.all(writers);
  assert.equal(size(), 4 * 200 * 10_000);
  assert.ok(
    text()
      .split("\n")
      .every((one) => one.length === 999 || one === ""),
  );
});

test("the patience for a line does not run while the reader stalls", async () => {
  const { relay, text, take, clock } = setUp({ isStalled: true });
  const [one, other] = [relay.open(), relay.open()];
  void one.write(bytes("x".repeat(70_000)));
  const waits = other.write(bytes("b\n"));

  await clock.pass(5_000);
  await take();
  void one.write(bytes("end\n"));
  await take();
  await take();
  await waits;

  assert.equal(text(), `${"x".repeat(70_000)}end\nb\n`);
});

test("a reader that is gone holds up nobody", async () => {
  const { relay, take, stall } = setUp();
  stall();
  const source = relay.open();
  const waits = source.write(bytes(`${"x".repeat(100_000)}\n`));

  await take(new Error("EPIPE"));
  await waits;
  void source.write(bytes("more\n"));
  source.end();
  const settled = relay.settled();
  await take(new Error("EPIPE"));

  await settled;
});

test("the wait for a reader that takes nothing ends", async () => {
  const { relay, clock } = setUp({ isStalled: true });
  const source = relay.open();
  void source.write(bytes("a\n"));
  source.end();

  const settled = relay.settled();
  await clock.pass(10_000);

  await settled;
});
