/** A process that was a spare worker is, to the user's code, the one that would have been started without it. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { realClock } from "../../src/core/clock";
import type { InstanceEvents, InstanceSpec } from "../../src/instances/instance";
import type * as Built from "../../src/instances/spares";
import { untilGone } from "../support/processes";
import { makeProject } from "../support/project";
import { get } from "../support/supervisor";
import { deferred, withDeadline } from "../support/wait";

const dist = (name: string) => createRequire(__filename)(join(__dirname, "../../dist/instances", name));
const { createSpares } = dist("spares.js") as typeof Built;
const { forkWorker } = dist("instance.js") as { forkWorker: NonNullable<Built.SparesOptions["fork"]> };

const events: InstanceEvents = { onNews: () => {}, onDropped: () => {}, onOutput: () => undefined };

const tells = `
const seen = () => ({
  env: process.env, cwd: process.cwd(), argv: process.argv, execArgv: process.execArgv, title: process.title,
  main: require.main.filename, mainPaths: require.main.paths, paths: module.paths, filename: module.filename,
  parent: module.parent?.filename, ppid: process.ppid, connected: process.connected,
  listeners: Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)])),
  zone: new Date(0).getTimezoneOffset(), umask: process.umask(), globals: Object.keys(globalThis),
});
const atLoad = JSON.stringify(seen());
exports.hello = (req, res) => res.send(atLoad);`;

function setUp(t: TestContext) {
  const forked: { pid: number; isSpare: boolean }[] = [];
  const due: (() => void)[] = [];
  const spares = createSpares({
    clock: {
      now: realClock.now,
      after(_, work) {
        due.push(work);
        return () => {};
      },
    },
    fork(spec, env) {
      const child = forkWorker(spec, env);
      forked.push({ pid: child.pid ?? 0, isSpare: true });
      return child;
    },
  });
  t.after(() => spares.stop());
  let sockets = 0;
  const folder = makeProject(t, { "index.js": tells, "preloaded.js": "" });
  const spec = (more: Partial<InstanceSpec> = {}, env: NodeJS.ProcessEnv = {}): InstanceSpec => ({
    function: "hello",
    folder,
    listen: `unix:${join(folder, `${++sockets}.sock`)}`,
    ...more,
    env: { PATH: process.env.PATH, FUNCTION_TARGET: "hello", FUNCTION_SOURCE: folder, ...env },
  });
  async function start(one: InstanceSpec) {
    const instance = await spares.start(one, events);
    t.after(() => instance.stop(0));
    const { text } = await get(instance.address);
    return { instance, seen: JSON.parse(text) as Seen };
  }
  return {
    spares,
    forked,
    spec,
    start,
    prepare() {
      spares.prepare("hello");
      due.splice(0).forEach((work) => void work());
      return forked.at(-1)?.pid;
    },
  };
}

interface Seen {
  env: NodeJS.ProcessEnv;
  cwd: string;
  execArgv: string[];
}

/** Each process has a socket of its own. */
const without = ({ env: { FF_LISTEN: _, ...env }, ...seen }: Seen) => ({ ...seen, env });

for (const needs of [
  ["serve"],
  ["serve", "import"],
  ["serve", "typescript", "import"],
  ["deliver"],
] as const) {
  test(`what user code sees is the same with and without a spare that has ${needs.join(", ")}`, async (t) => {
    const { spares, spec, start, prepare } = setUp(t);
    spares.noteNeeds("hello", needs);
    const env = { FF_WATCH: "true", SOME: "value" };
    const fresh = await start(spec({}, env));
    const pid = prepare();

    const taken = await start(spec({}, env));

    assert.equal(taken.instance.pid, pid);
    assert.deepEqual(without(taken.seen), without(fresh.seen));
    assert.equal(taken.seen.env.FF_LISTEN, taken.instance.address);
  });
}

test("another environment and another folder are what the function sees", async (t) => {
  const { spec, start, prepare } = setUp(t);
  await start(spec({}, { GONE: "x", CHANGED: "1", FF_GRACE_PERIOD: "3" }));
  const pid = prepare();
  const other = makeProject(t, { "index.js": tells });

  const { instance, seen } = await start(
    spec({ folder: other }, { CHANGED: "2", ADDED: "y", FUNCTION_SOURCE: other }),
  );

  assert.equal(instance.pid, pid);
  const { GONE, CHANGED, ADDED, FF_GRACE_PERIOD, FF_SPARE } = seen.env;
  assert.deepEqual(
    [GONE, CHANGED, ADDED, FF_GRACE_PERIOD, FF_SPARE],
    [undefined, "2", "y", undefined, undefined],
  );
  assert.equal(seen.cwd, other);
});

const different: [what: string, more: Partial<InstanceSpec>, env: NodeJS.ProcessEnv][] = [
  ["options of node", { execArgv: ["--max-old-space-size=99"] }, {}],
  ["NODE_OPTIONS", {}, { NODE_OPTIONS: "--no-deprecation" }],
  ["the size of the thread pool", {}, { UV_THREADPOOL_SIZE: "7" }],
  ["the time zone", {}, { TZ: "Asia/Tokyo" }],
];
for (const [what, more, env] of different) {
  test(`a spare is not used for ${what} that it was not started with, and ends`, async (t) => {
    const { spec, start, prepare } = setUp(t);
    await start(spec());
    const pid = prepare() ?? 0;

    const { instance, seen } = await start(spec(more, env));

    assert.notEqual(instance.pid, pid);
    assert.deepEqual(seen.execArgv, more.execArgv ?? []);
    await untilGone(pid);
  });
}

for (const [what, more, env] of [
  ["--require", { execArgv: ["--require=./preloaded.js"] }, {}],
  ["NODE_OPTIONS with --import", {}, { NODE_OPTIONS: "--no-deprecation --import=data:text/javascript," }],
] as [string, Partial<InstanceSpec>, NodeJS.ProcessEnv][]) {
  test(`no spare waits where it would run the user's code: ${what}`, async (t) => {
    const { spec, start, prepare, forked } = setUp(t);
    await start(spec(more, env));

    prepare();

    assert.deepEqual(forked, []);
  });
}

test("a spare that has died is not used, and the next one is", async (t) => {
  const { spec, start, prepare } = setUp(t);
  await start(spec());
  const dead = prepare() ?? 0;
  process.kill(dead, "SIGKILL");
  await untilGone(dead);

  const first = await start(spec());
  const pid = prepare();
  const second = await start(spec());

  assert.notEqual(first.instance.pid, dead);
  assert.equal(second.instance.pid, pid);
});

test("one spare a function, and none after the stop", async (t) => {
  const { spares, spec, start, prepare, forked } = setUp(t);
  await start(spec());

  prepare();
  const pid = prepare() ?? 0;
  spares.stop();
  spares.stop();
  prepare();

  assert.equal(forked.length, 1);
  await untilGone(pid);
});

for (const [what, leave] of [
  ["", () => undefined],
  [", in a folder that is gone", (folder: string) => rmSync(folder, { recursive: true })],
] as const) {
  test(`a spare does not outlive a parent that is killed${what}`, async (t) => {
    const folder = makeProject(t, { "index.js": "exports.hello = () => {};" });
    const script = `
    const { createSpares } = require(${JSON.stringify(join(__dirname, "../../dist/instances/spares.js"))});
    const { forkWorker } = require(${JSON.stringify(join(__dirname, "../../dist/instances/instance.js"))});
    const spares = createSpares({
      clock: { now: Date.now, after: (ms, work) => (work(), () => {}) },
      fork: (...args) => { const child = forkWorker(...args); console.log(child.pid); return child; },
    });
    const events = { onNews() {}, onDropped() {}, onOutput() {} };
    const spec = { function: "hello", folder: ${JSON.stringify(folder)}, listen: "tcp:127.0.0.1:0", env: { ...process.env, FUNCTION_TARGET: "hello", FF_WATCH: "true" } };
    spares.noteNeeds("hello", ["serve", "import"]);
    spares.start(spec, events).then(() => spares.prepare("hello"));`;
    const { spawn } = await import("node:child_process");
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => parent.kill("SIGKILL"));
    const printed = deferred<number>();
    parent.stdout.on("data", (chunk) => printed.resolve(Number(chunk)));
    const pid = await withDeadline(printed.promise, "the spare is there");

    leave(folder); // before its threads are there
    parent.kill("SIGKILL");

    await untilGone(pid);
  });
}
