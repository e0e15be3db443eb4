/** The file by which commands find each other: private, of the living only. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { leaveState, readState } from "../../../src/control/state-file";
import { isFrameworkError } from "../../../src/core/errors";

const own = { pid: process.pid, control: "http://127.0.0.1:1", version: "1.2.3" };

/** A working folder and a temp folder for this test alone. */
function makeFolders(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "state-"));
  const [folder, temp] = [join(root, "project"), join(root, "temp")];
  mkdirSync(folder);
  mkdirSync(temp);
  const before = process.env.TMPDIR;
  process.env.TMPDIR = temp;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(root, { recursive: true, force: true });
  });
  const file = () => join(temp, readdirSync(temp)[0] ?? "nothing");
  return { root, folder, temp, file };
}

function deadPid(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

test("what is left is found from the folder, and from another way to it", (t) => {
  const { root, folder } = makeFolders(t);
  symlinkSync(folder, join(root, "link"));

  const left = leaveState(folder, own);

  assert.deepEqual(readState(folder), own);
  assert.deepEqual(readState(join(root, "link")), own);
  assert.equal(readState(root), undefined);
  assert.equal(left.replaced, undefined);
});

test("the file is for its user alone, and nothing else is left beside it", (t) => {
  const { folder, temp, file } = makeFolders(t);

  leaveState(folder, own);

  assert.deepEqual(readdirSync(temp).length, 1);
  assert.match(file(), /functions-framework-[\da-f]{32}\.json$/);
  assert.equal(statSync(file()).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(readFileSync(file(), "utf8")), own);
});

test("it is gone when it is taken back, twice is fine", (t) => {
  const { folder, temp } = makeFolders(t);

  const left = leaveState(folder, own);
  left.remove();
  left.remove();

  assert.deepEqual(readdirSync(temp), []);
  assert.equal(readState(folder), undefined);
});

test("what a dead process has left is ignored, and replaced without a word", (t) => {
  const { folder } = makeFolders(t);
  leaveState(folder, { ...own, pid: deadPid() });

  const found = readState(folder);
  const left = leaveState(folder, own);

  assert.equal(found, undefined);
  assert.equal(left.replaced, undefined);
  assert.deepEqual(readState(folder), own);
});

test("who takes the file of a living process is told whose it was, and that one leaves it alone at its end", async (t) => {
  const { folder } = makeFolders(t);
  const other = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  t.after(() => other.kill("SIGKILL"));
  await once(other, "spawn");
  const theirs = { ...own, pid: other.pid ?? 0, control: "http://127.0.0.1:2" };
  const first = leaveState(folder, theirs);

  const second = leaveState(folder, own);
  first.remove();

  assert.deepEqual(second.replaced, theirs);
  assert.deepEqual(readState(folder), own);
});

for (const [what, spoil] of [
  ["no JSON", (file: string) => writeFileSync(file, "{")],
  ["another shape", (file: string) => writeFileSync(file, '{"pid":1}')],
  ["a pid that is none", (file: string) => writeFileSync(file, JSON.stringify({ ...own, pid: -1 }))],
  ["a file that others may write", (file: string) => chmodSync(file, 0o666)],
  [
    "a link",
    (file: string) => {
      const elsewhere = `${file}.elsewhere`;
      writeFileSync(elsewhere, JSON.stringify(own), { mode: 0o600 });
      rmSync(file);
      symlinkSync(elsewhere, file);
    },
  ],
] as const) {
  test(`${what} is ignored`, (t) => {
    const { folder, file } = makeFolders(t);
    leaveState(folder, own);

    spoil(file());

    assert.equal(readState(folder), undefined);
  });
}

test("a temp folder that is not there is an error that names the file", (t) => {
  const { folder, temp } = makeFolders(t);
  rmSync(temp, { recursive: true });

  assert.throws(
    () => leaveState(folder, own),
    (err) => isFrameworkError(err) && err.code === "FF_STATE_FILE" && err.message.includes(temp),
  );
  assert.equal(existsSync(temp), false);
});
