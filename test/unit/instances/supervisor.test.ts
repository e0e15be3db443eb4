/** When what is started, replaced and given up: a supervisor with instances that are no processes, and a clock. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { isFrameworkError } from "../../../src/core/errors";
import type { FunctionSpec } from "../../../src/instances/spec";
import type { InstanceChange } from "../../../src/instances/status";
import { createSupervisor, type SupervisorOptions } from "../../../src/instances/supervisor";
import { createTestClock, settle } from "../../support/clock";
import { createFakeInstances } from "../../support/fake-instances";
import { makeProject } from "../../support/project";

const ok = { ok: true, ms: 1 };
const spec: FunctionSpec = { name: "hello", folder: "/project", listen: "tcp", min: 1, max: 1 };

async function setUp(t: TestContext, specs: FunctionSpec[], options: SupervisorOptions = {}) {
  const clock = createTestClock();
  const fakes = createFakeInstances();
  const changes: InstanceChange[] = [];
  const supervisor = createSupervisor({
    env: {},
    clock,
    start: fakes.start,
    onChange: (change) => changes.push(change),
    ...options,
  });
  t.after(async () => {
    const stopped = supervisor.stop(0);
    await clock.pass(0); // leases that the test has kept
    await stopped;
  });
  void supervisor.apply(specs);
  await settle();
  const states = () => supervisor.status("hello").instances.map(({ state }) => state);
  return { ...fakes, supervisor, clock, changes, states };
}

const failure = (err: unknown) => (isFrameworkError(err) ? `${err.code} ${err.retryAfter}` : String(err));

test("states of a life: starting, ready, draining, stopped", async (t) => {
  const { supervisor, last, changes, states } = await setUp(t, [spec]);
  assert.deepEqual(states(), ["starting"]);

  await last().ready();
  const [ready] = supervisor.status("hello").instances;
  await supervisor.apply([]);
  await settle();

  assert.deepEqual(
    [ready?.pid, ready?.state, ready?.address, ready?.inFlight, ready?.restarts],
    [1000, "ready", "tcp:127.0.0.1:0", 0, 0],
  );
  assert.deepEqual(
    changes.map(({ state }) => state),
    ["starting", "ready", "draining", "stopped"],
  );
  assert.throws(() => supervisor.status("hello"), { code: "FF_INSTANCE_UNKNOWN_FUNCTION" });
});

test("one that has answered is replaced at once, every time", async (t) => {
  const { supervisor, last, processes, changes } = await setUp(t, [spec]);

  for (let death = 1; death <= 7; death++) {
    await last().ready();
    (await supervisor.acquire("hello")).release(ok);
    await last().die();
    assert.equal(processes.length, death + 1);
  }
  const { counters, instances, lastError } = supervisor.status("hello");

  assert.deepEqual(counters, { requests: 7, errors: 0, ms: 7, starts: 8, crashes: 7, restarts: 7 });
  assert.equal(instances[0]?.restarts, 7);
  assert.equal(lastError?.code, "FF_INSTANCE_CRASHED");
  assert.match(lastError?.message ?? "", /exit code 3/);
  assert.ok(changes.every(({ state }) => state === "starting" || state === "ready"));
});

test("one that has not answered waits longer each time; the fifth time in a row is a crash loop", async (t) => {
  const { supervisor, last, processes, clock, states, changes } = await setUp(t, [spec]);
  for (const pause of [250, 500, 1_000, 2_000]) {
    await last().ready();
    await last().die();
    const before = processes.length;
    assert.deepEqual(states(), ["backoff"]);
    await clock.pass(pause - 1);
    assert.equal(processes.length, before);
    await clock.pass(1);
    assert.equal(processes.length, before + 1);
  }
  const waits = supervisor.acquire("hello").catch(failure);
  await last().fail();

  assert.equal(await waits, "FF_INSTANCE_CRASH_LOOP 4");
  await clock.pass(1_500);
  assert.equal(await supervisor.acquire("hello").catch(failure), "FF_INSTANCE_CRASH_LOOP 3");
  assert.equal(supervisor.status("hello").lastError?.code, "FF_INSTANCE_CRASH_LOOP");
  assert.deepEqual(
    changes.slice(-2).map(({ error }) => error?.code),
    ["FF_INSTANCE_EXITED", "FF_INSTANCE_CRASH_LOOP"],
  );

  const before = processes.length;
  await clock.pass(2_500); // the end of the pause of four seconds
  assert.equal(processes.length, before + 1);
  const served = supervisor.acquire("hello");
  await last().ready();
  (await served).release(ok);
  await last().die();
  assert.equal(processes.length, before + 2, "it has answered: all is forgotten");
});

test("a crash loop without another try waits for a change or a restart", async (t) => {
  const { supervisor, last, processes, clock, states } = await setUp(t, [
    { ...spec, afterCrashLoop: "stop" },
  ]);
  for (let death = 1; death <= 5; death++) {
    await last().fail();
    await clock.pass(30_000);
  }
  assert.equal(processes.length, 5);
  assert.deepEqual(states(), ["failed"]);
  assert.equal(await supervisor.acquire("hello").catch(failure), "FF_INSTANCE_CRASH_LOOP 30");

  void supervisor.restart("hello");
  await settle();

  assert.equal(processes.length, 6);
  await last().ready();
  assert.deepEqual(states(), ["ready"]);
  assert.equal(supervisor.status("hello").lastError, undefined);
});

test("a worker that cannot load is not started again before a change", async (t) => {
  const { supervisor, last, processes, clock, states } = await setUp(t, [spec]);
  const waits = supervisor.acquire("hello").catch((err) => err);
  await last().refuse("FF_LOAD_FAILED");
  const error = await waits;
  await clock.pass(3_600_000);

  assert.equal(processes.length, 1);
  assert.deepEqual(states(), ["failed"]);
  assert.equal(failure(error), "FF_INSTANCE_LOAD_FAILED 30");
  assert.match(error.message, /"hello".*FF_LOAD_FAILED/);
  assert.match(error.cause.message, /of 1000/);

  await supervisor.apply([spec]); // no change
  assert.equal(processes.length, 1);
  void supervisor.apply([{ ...spec, env: { MENDED: "yes" } }]);
  await settle();
  assert.equal(processes.length, 2);
});

test("a worker that was good and cannot load any more is tried again", async (t) => {
  const { last, processes, clock } = await setUp(t, [spec]);
  await last().ready();
  await last().die();
  await clock.pass(250);
  await last().refuse("FF_LOAD_FAILED");
  await clock.pass(500);

  assert.equal(processes.length, 3);
});

test("a changed function: the new one first, then the old one drains with what it has", async (t) => {
  const { supervisor, last, processes, clock, states } = await setUp(t, [spec]);
  await last().ready();
  const lease = await supervisor.acquire("hello");

  const applied = supervisor.apply([{ ...spec, env: { VERSION: "2" } }]);
  await settle();
  assert.deepEqual(states(), ["ready", "starting"]);
  assert.equal((await supervisor.acquire("hello")).instance, lease.instance);
  await last().ready();
  await applied;
  assert.deepEqual(states(), ["draining", "ready"]);
  const second = await supervisor.acquire("hello");
  assert.notEqual(second.instance, lease.instance);
  assert.deepEqual(processes[0]?.stops, []);

  await clock.pass(4_000);
  lease.release(ok);
  await settle();
  assert.deepEqual(processes[0]?.stops, [], "another lease is open");
  await clock.pass(6_000); // the grace period of ten seconds
  await settle();
  assert.equal(processes[0]?.stops[0], 0);
  assert.deepEqual(states(), ["ready"]);
});

test("a changed function that never becomes ready leaves the old one, and the status says why", async (t) => {
  const { supervisor, last, processes, states } = await setUp(t, [spec]);
  await last().ready();

  const applied = supervisor.apply([{ ...spec, env: { BROKEN: "1" } }]);
  await settle();
  await last().refuse("FF_LOAD_FAILED");
  await applied;
  const status = supervisor.status("hello");

  assert.deepEqual(states(), ["ready", "failed"]);
  assert.equal(status.state, "ready");
  assert.equal(status.lastError?.code, "FF_LOAD_FAILED");
  const lease = await supervisor.acquire("hello");
  lease.release(ok);
  await processes[0]?.die();
  assert.deepEqual(processes.at(-1)?.spec.env, {}, "the old one is replaced by its like");

  await processes.at(-1)?.ready();
  await supervisor.apply([spec]); // taken back
  await settle();
  assert.deepEqual(states(), ["ready"]);
});

test("a change while the last one still starts: only the newest counts", async (t) => {
  const { supervisor, last, processes, states } = await setUp(t, [spec]);
  await last().ready();

  for (let version = 1; version <= 20; version++) {
    void supervisor.apply([{ ...spec, env: { VERSION: String(version) } }]);
    await settle();
  }
  await last().ready();

  assert.deepEqual(states(), ["ready"]);
  assert.equal(last().spec.env.VERSION, "20");
  assert.ok(processes.slice(0, -1).every(({ hasEnded }) => hasEnded));
});

test("a change of limits keeps the processes", async (t) => {
  const { supervisor, last, processes } = await setUp(t, [{ ...spec, concurrency: 1 }]);
  await last().ready();
  await supervisor.acquire("hello");
  const waits = supervisor.acquire("hello");
  await settle();
  assert.equal(supervisor.status("hello").waiting, 1);

  await supervisor.apply([{ ...spec, concurrency: 2, grace: 3, startTimeout: 5, queue: 1, idle: 9 }]);
  await waits;

  assert.equal(processes.length, 1);
});

for (const [what, change] of [
  ["environment", { env: { A: "1" } }],
  ["memory", { memory: 64 }],
  ["node options", { nodeOptions: ["--no-warnings"] }],
  ["folder", { folder: "/elsewhere" }],
] as const) {
  test(`a change of ${what} needs new processes`, async (t) => {
    const { supervisor, last, processes } = await setUp(t, [spec]);
    await last().ready();

    void supervisor.apply([{ ...spec, ...change }]);
    await settle();

    assert.equal(processes.length, 2);
  });
}

test("several instances are replaced one for one, and all the while one is there", async (t) => {
  const { supervisor, processes, clock, states } = await setUp(t, [{ ...spec, min: 3, max: 3 }]);
  for (const one of processes) await one.ready();

  void supervisor.restart("hello");
  await settle();
  assert.deepEqual(states(), ["ready", "ready", "ready", "starting"]);
  await processes[3]?.ready();
  assert.deepEqual(states(), ["ready", "ready", "ready", "starting", "starting"]);
  await processes[4]?.ready();
  assert.equal(states().filter((state) => state === "ready").length, 3);
  await processes[5]?.ready();
  await clock.pass(0);

  assert.deepEqual(states(), ["ready", "ready", "ready"]);
  assert.deepEqual(
    supervisor.status("hello").instances.map(({ pid }) => pid),
    [1003, 1004, 1005],
  );
});

test("from zero: the first request starts one, a second one starts no other, and it goes when idle", async (t) => {
  const { supervisor, last, processes, clock } = await setUp(t, [{ ...spec, min: 0, max: 4, idle: 60 }]);
  assert.equal(processes.length, 0);
  assert.equal(supervisor.status("hello").state, "stopped");

  const leases = Array.from({ length: 50 }, () => supervisor.acquire("hello"));
  await settle();
  assert.equal(processes.length, 1);
  await last().ready();
  for (const lease of await Promise.all(leases)) lease.release(ok);
  await clock.pass(59_000);
  assert.equal(supervisor.status("hello").instances.length, 1);
  await clock.pass(2_000);

  assert.deepEqual(supervisor.status("hello").instances, []);
  assert.equal(supervisor.status("hello").state, "stopped");
});

test("more than the instances may have starts more, up to the maximum; the rest waits", async (t) => {
  const { supervisor, processes } = await setUp(t, [{ ...spec, min: 0, max: 3, concurrency: 2 }]);
  const leases = Array.from({ length: 9 }, () => supervisor.acquire("hello"));
  await settle();
  assert.equal(processes.length, 3);
  for (const one of processes) await one.ready();

  assert.equal(supervisor.status("hello").waiting, 3);
  assert.deepEqual(
    supervisor.status("hello").instances.map(({ inFlight }) => inFlight),
    [2, 2, 2],
  );
  for (const lease of leases) (await lease).release(ok); // the first ones make room for the last
});

test("scale sets a number for ten seconds", async (t) => {
  const { supervisor, processes, clock } = await setUp(t, [{ ...spec, min: 0, max: 3, idle: 1 }]);

  supervisor.scale("hello", 3);
  await settle();
  assert.equal(processes.length, 3);
  for (const one of processes) await one.ready();
  assert.equal(supervisor.status("hello").desired, 3);
  await clock.pass(11_000);
  assert.equal(supervisor.status("hello").instances.length, 0);

  await supervisor.apply([{ ...spec, min: 1, max: 1 }]);
  await settle();
  supervisor.scale("hello", 0);
  await clock.pass(9_000);
  assert.equal(supervisor.status("hello").instances.length, 0);
  await clock.pass(2_000);
  assert.equal(supervisor.status("hello").instances.length, 1);

  for (const count of [-1, 4, 1.5])
    assert.throws(() => supervisor.scale("hello", count), { code: "FF_INSTANCE_SCALE" });
});

test("what is admitted gets requests; what is refused counts as not come up", async (t) => {
  const asked: string[] = [];
  const { supervisor, last, clock, states } = await setUp(t, [spec], {
    admit: async ({ instance }) => {
      asked.push(instance);
      if (asked.length === 1) throw new Error("not yet");
    },
  });
  const first = last();
  await first.ready();
  assert.deepEqual(states(), ["backoff"]);
  assert.deepEqual(first.stops, [0]);
  await clock.pass(250);
  await last().ready();

  assert.deepEqual(states(), ["ready"]);
  assert.equal(asked.length, 2);
  assert.match(supervisor.status("hello").lastError?.message ?? "", /not yet/);
});

test("a port of its own: the old one ends before the new one starts, and there is one", async (t) => {
  const own = { ...spec, listen: "tcp:127.0.0.1:4000", max: 5 } as const;
  const { supervisor, last, processes } = await setUp(t, [own]);
  await last().ready();
  assert.throws(() => supervisor.scale("hello", 2), { code: "FF_INSTANCE_SCALE" });

  const waits = supervisor.acquire("hello");
  (await waits).release(ok);
  void supervisor.restart("hello");
  await settle();

  assert.equal(processes[0]?.hasEnded, true);
  assert.equal(processes.length, 2);
  assert.equal(last().spec.listen, "tcp:127.0.0.1:4000");
});

test("environment: the supervisor's, then the files, then the function's own; changed files count", async (t) => {
  const folder = makeProject(t, { ".env": "A=file\nB='file b'\nC=file\n", "more.env": "C=more\n" });
  const files = { ...spec, folder, env: { A: "own" }, envFile: [".env", "more.env"] };
  const { supervisor, last, processes } = await setUp(t, [files], { env: { A: "base", D: "base" } });
  assert.deepEqual(last().spec.env, { A: "own", B: "file b", C: "more", D: "base" });
  await last().ready();

  await supervisor.apply([files]);
  assert.equal(processes.length, 1);
  writeFileSync(join(folder, ".env"), "B=changed\n");
  void supervisor.apply([files]);
  await settle();
  assert.equal(last().spec.env.B, "changed");
});

test("an environment file that is not there: nothing starts, or what runs goes on", async (t) => {
  const folder = makeProject(t, {});
  const broken = { ...spec, folder, envFile: ["gone.env"] };
  const { supervisor, last, processes } = await setUp(t, [broken]);
  assert.equal(processes.length, 0);
  assert.equal(supervisor.status("hello").state, "failed");
  assert.equal(supervisor.status("hello").lastError?.code, "FF_INSTANCE_ENV_FILE");
  assert.equal(await supervisor.acquire("hello").catch(failure), "FF_INSTANCE_LOAD_FAILED 30");

  void supervisor.apply([spec]);
  await settle();
  await last().ready();
  await supervisor.apply([broken]);

  assert.equal(processes.length, 1);
  assert.equal(supervisor.status("hello").state, "ready");
  assert.match(supervisor.status("hello").lastError?.message ?? "", /gone\.env/);
  await supervisor.apply([spec]);
  assert.equal(supervisor.status("hello").lastError, undefined);
});

test("stop turns away who waits, and gives what runs its time", async (t) => {
  const { supervisor, last, clock } = await setUp(t, [{ ...spec, concurrency: 1 }]);
  await last().ready();
  const lease = await supervisor.acquire("hello");
  const waits = supervisor.acquire("hello").catch((err) => err.code);
  await settle();

  const stopped = supervisor.stop(5);
  assert.equal(await waits, "FF_INSTANCE_UNKNOWN_FUNCTION");
  await clock.pass(2_000);
  assert.deepEqual(last().stops, []);
  lease.release(ok);
  await stopped;

  assert.deepEqual(last().stops, [3]); // what is left of the five seconds
  assert.equal(await supervisor.acquire("hello").catch((err) => err.code), "FF_INSTANCE_UNKNOWN_FUNCTION");
  await supervisor.stop();
});
