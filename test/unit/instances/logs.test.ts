/** What instances wrote: lines, bounded, in order, followed. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { createLineReader } from "../../../src/instances/lines";
import { createLogs, type FunctionLogs, type ReadLogsOptions } from "../../../src/instances/logs";
import { createTestClock, settle } from "../../support/clock";

const rows: [what: string, chunks: (string | Buffer)[], expected: string[]][] = [
  ["whole lines", ["a\nb\n"], ["a", "b"]],
  ["a line in pieces", ["a", "b", "c\nd\n"], ["abc", "d"]],
  ["empty lines", ["\n\na\n"], ["", "", "a"]],
  ["Windows' line ends", ["a\r\nb\r", "\n"], ["a", "b"]],
  ["a last line without an end", ["a\nb"], ["a", "b"]],
  ["a character in two chunks", [Buffer.from([0xc3]), Buffer.from([0xa4, 0x0a])], ["ä"]],
  ["a line that is too long, and the next one", ["0123456789\nabc\n"], ["01234567", "abc"]],
  ["a line that is too long, in pieces", ["01234", "5678", "9", "0\nabc\n"], ["01234567", "abc"]],
  ["a cut through a character", ["1234567ä90\nabc\n"], ["1234567", "abc"]],
];
for (const [what, chunks, expected] of rows) {
  test(`lines: ${what}`, () => {
    const lines: string[] = [];
    const reader = createLineReader(8, (line) => lines.push(line));

    for (const chunk of chunks) reader.write(Buffer.from(chunk));
    reader.end();

    assert.deepEqual(lines, expected);
  });
}

async function read(logs: FunctionLogs, options?: ReadLogsOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const { instance, stream, text } of logs.read(options))
    lines.push(`${instance} ${stream} ${text}`);
  return lines;
}

const write = (logs: FunctionLogs, instance: string, text: string) =>
  logs.write(instance, "stdout", Buffer.from(text));

test("lines of several instances come in the order in which they were written", async () => {
  const logs = createLogs(createTestClock());

  write(logs, "a", "1\n");
  logs.write("b", "stderr", Buffer.from("2\n3\n"));
  write(logs, "a", "4\nhalf");
  logs.endProcess("a");

  assert.deepEqual(await read(logs), [
    "a stdout 1",
    "b stderr 2",
    "b stderr 3",
    "a stdout 4",
    "a stdout half",
  ]);
  assert.deepEqual(await read(logs, { tail: 2 }), ["a stdout 4", "a stdout half"]);
  assert.deepEqual(await read(logs, { tail: 0 }), []);
});

test("one instance that writes much forgets its own old lines, not those of others", async () => {
  const logs = createLogs(createTestClock());
  write(logs, "quiet", "still here\n");

  for (let i = 0; i < 1_000; i++) write(logs, "loud", `${i} ${"x".repeat(10_000)}\n`);
  const lines = await read(logs);

  assert.equal(lines[0], "quiet stdout still here");
  assert.ok(lines.length > 50 && lines.length < 120, `${lines.length} lines are kept`);
  assert.match(lines.at(-1) ?? "", /^loud stdout 999 x/);
});

test("a line of megabytes is cut at 64 KiB", async () => {
  const logs = createLogs(createTestClock());

  for (let i = 0; i < 100; i++) write(logs, "a", "x".repeat(50_000));
  write(logs, "a", "\nnext\n");
  const lines = await read(logs);

  assert.deepEqual(
    lines.map((line) => line.length - "a stdout ".length),
    [65_536, 4],
  );
});

test("who follows gets what is there and what comes, until the end", async () => {
  const logs = createLogs(createTestClock());
  const abort = new AbortController();
  write(logs, "a", "1\n2\n");

  const followed = read(logs, { tail: 1, follow: true });
  const aborted = read(logs, { tail: 0, follow: true, signal: abort.signal });
  write(logs, "a", "3\n");
  await settle();
  write(logs, "b", "4\n");
  await settle();
  abort.abort();
  await settle();
  write(logs, "b", "5\n");
  logs.close();

  assert.deepEqual(await aborted, ["a stdout 3", "b stdout 4"]);
  assert.deepEqual(await followed, ["a stdout 2", "a stdout 3", "b stdout 4", "b stdout 5"]);
});

test("a reader that does not keep up misses lines, and holds none", async () => {
  const logs = createLogs(createTestClock());
  const reader = logs.read({ follow: true });
  write(logs, "a", "first\n");
  assert.equal((await reader.next()).value?.text, "first");

  for (let i = 0; i < 1_000; i++) write(logs, "a", `${i} ${"x".repeat(10_000)}\n`);
  const { value } = await reader.next();
  await reader.return(undefined);

  assert.ok(Number(value?.text.split(" ")[0]) > 800);
});

test("the lines of the last few instances that are gone are kept", async () => {
  const logs = createLogs(createTestClock());

  for (const id of ["a", "b", "c", "d", "e", "f", "g"]) {
    write(logs, id, "bye\n");
    logs.retire(id);
  }
  write(logs, "here", "hello\n");

  assert.deepEqual(
    (await read(logs)).map((line) => line.split(" ")[0]),
    ["c", "d", "e", "f", "g", "here"],
  );
});
