/** The supervisor with real processes: what is killed, changed, broken and left behind. */
import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { untilGone } from "../support/processes";
import { makeProject } from "../support/project";
import { get, startSupervisor } from "../support/supervisor";

const hello = `export const hello = (req, res) => res.send("hello from " + process.pid);`;
const socketOf = (address: string) => address.slice("unix:".length);

test("a function is served on a UNIX socket in a folder of its user's alone, which goes with the supervisor", async (t) => {
  const folder = makeProject(t, { "index.mjs": hello });
  const { supervisor, call } = startSupervisor(t);
  await supervisor.apply([{ name: "hello", folder, min: 1 }]);
  const [instance] = supervisor.status("hello").instances;
  const socket = socketOf(instance?.address ?? "");

  const { status, text } = await call("hello");

  assert.deepEqual([status, text], [200, `hello from ${instance?.pid}`]);
  assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700);
  assert.ok(statSync(socket).isSocket());
  assert.ok(Buffer.byteLength(socket) < 104);
  await supervisor.stop(1);
  assert.equal(existsSync(dirname(socket)), false);
});

test("on request it is a port of loopback", async (t) => {
  const folder = makeProject(t, { "index.mjs": hello });
  const { supervisor, call } = startSupervisor(t);
  await supervisor.apply([{ name: "hello", folder, min: 1, listen: "tcp" }]);

  assert.equal((await call("hello")).status, 200);
  assert.match(supervisor.status("hello").instances[0]?.address ?? "", /^tcp:127\.0\.0\.1:\d+$/);
});

test("instances killed -9 under load: every lease is granted, and the dead are replaced", async (t) => {
  const folder = makeProject(t, { "index.mjs": hello });
  const { supervisor, call, change, ready } = startSupervisor(t);
  await supervisor.apply([{ name: "hello", folder, min: 3, max: 3 }]);
  await ready("hello", 3);
  const asked: Promise<unknown>[] = [];
  const refused: unknown[] = [];
  let killed = 0;

  for (let lease = 1; lease <= 60; lease++) {
    asked.push(
      call("hello").catch((err) => {
        if (String(err.code).startsWith("FF_")) refused.push(err); // others are requests that were cut
      }),
    );
    if (lease % 15 === 0) {
      const { instances } = supervisor.status("hello");
      const victim = instances.find(({ state }) => state === "ready")?.pid;
      if (victim) process.kill(victim, "SIGKILL");
      killed++;
    }
    await setTimeout(20); // 50 a second
  }
  await Promise.all(asked);
  await change(() => supervisor.status("hello").counters.crashes === killed, "every death is seen");
  const { counters } = supervisor.status("hello");

  assert.deepEqual(refused, []);
  assert.equal(counters.requests, 60);
  assert.ok(counters.errors <= 25, `${counters.errors} requests were cut`);
  await ready("hello", 3);
});

test("a changed function under load: no request fails, and the new one has taken over", async (t) => {
  const folder = makeProject(t, {
    "index.mjs": `export const hello = async (req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      res.send(process.env.VERSION);
    };`,
  });
  const { supervisor, call, changes } = startSupervisor(t);
  const spec = (version: string) => ({ name: "hello", folder, min: 2, max: 2, env: { VERSION: version } });
  await supervisor.apply([spec("1")]);
  const answers: Promise<{ status: number; text: string }>[] = [];
  let isOver = false;
  const load = (async () => {
    while (!isOver) {
      answers.push(call("hello"));
      await setTimeout(10);
    }
  })();

  for (const version of ["2", "3"]) await supervisor.apply([spec(version)]);
  isOver = true;
  await load;
  const replies = await Promise.all(answers);

  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([200]));
  assert.equal((await call("hello")).text, "3");
  assert.deepEqual(
    changes.filter(({ error }) => error),
    [],
  );
});

for (const [what, broken, startTimeout, code, how] of [
  ["throws while it loads", "throw new Error('no database');", 60, "FF_LOAD_FAILED", /no database/],
  ["ends while it loads", "process.exit(7);", 60, "FF_INSTANCE_EXITED", /exit code 7/],
  [
    "is never ready",
    "await new Promise(() => setInterval(() => {}, 1e6));",
    0.8,
    "FF_INSTANCE_START_TIMEOUT",
    /0\.8 s/,
  ],
] as const) {
  test(`a new one that ${what} leaves the old one serving, and the status says why`, async (t) => {
    const folder = makeProject(t, {
      "index.mjs": `if (process.env.BROKEN) { ${broken} }
        export const hello = (req, res) => res.send("old");`,
    });
    const { supervisor, call } = startSupervisor(t);
    await supervisor.apply([{ name: "hello", folder, min: 1 }]);

    await supervisor.apply([{ name: "hello", folder, min: 1, startTimeout, env: { BROKEN: "1" } }]);
    const { state, lastError } = supervisor.status("hello");

    assert.equal(state, "ready");
    assert.equal(lastError?.code, code);
    assert.match(lastError?.message ?? "", how);
    assert.equal((await call("hello")).text, "old");
  });
}

test("a function that always ends is a crash loop; a restart mends it when its reason is gone", async (t) => {
  const folder = makeProject(t, {
    "index.mjs": `import { existsSync } from "node:fs";
      if (!existsSync("mended")) process.exit(4);
      ${hello}`,
  });
  const { supervisor, call } = startSupervisor(t);
  void supervisor.apply([{ name: "hello", folder }]);

  await assert.rejects(call("hello"), (err: Error & { code?: string; retryAfter?: number }) => {
    assert.equal(err.code, "FF_INSTANCE_CRASH_LOOP");
    assert.match(err.message, /"hello" has ended 5 times in a row/);
    assert.ok(err.retryAfter !== undefined && err.retryAfter >= 1);
    return true;
  });
  assert.match(supervisor.status("hello").lastError?.message ?? "", /5 times in a row.*exit code 4/);
  writeFileSync(join(folder, "mended"), "");
  const restarted = supervisor.restart("hello");

  assert.equal((await call("hello")).status, 200);
  await restarted;
  assert.equal(supervisor.status("hello").lastError, undefined);
});

test("a function that wants more memory than it may have ends, and is started again", async (t) => {
  const folder = makeProject(t, {
    "index.mjs": `import { getHeapStatistics } from "node:v8";
      export const hello = (req, res) => {
        if (req.path === "/limit") return res.send(String(getHeapStatistics().heap_size_limit / 2 ** 20));
        const kept = [];
        for (;;) kept.push(new Array(1e5).fill(kept.length));
      };`,
  });
  const { supervisor, call, change } = startSupervisor(t);
  await supervisor.apply([{ name: "hello", folder, min: 1, max: 1, memory: 40 }]);
  const limit = Number((await call("hello", "/limit")).text);

  await assert.rejects(call("hello", "/eat"));
  const { error } = await change((one) => one.error !== undefined, "it ends");

  assert.ok(limit >= 40 && limit < 400, `the limit is ${limit} MiB`);
  assert.equal(error?.code, "FF_INSTANCE_CRASHED");
  assert.equal((await call("hello", "/limit")).status, 200);
});

test("environment files, node options and the function's own environment reach the process", async (t) => {
  const folder = makeProject(t, {
    ".env": `# comment\nGREETING="from the file"\nOTHER='#1'\n`,
    "index.mjs": `export const hello = (req, res) =>
      res.send([process.env.GREETING, process.env.OTHER, process.env.OWN, process.execArgv.join(" ")].join("|"));`,
  });
  const { supervisor, call } = startSupervisor(t);
  await supervisor.apply([
    { name: "hello", folder, envFile: [".env"], env: { OWN: "own" }, nodeOptions: ["--no-warnings"] },
  ]);

  assert.equal((await call("hello")).text, "from the file|#1|own|--no-warnings");
});

test("a function that prints 10 MB: the last lines are kept, and followed", async (t) => {
  const folder = makeProject(t, {
    "index.mjs": `export const hello = async (req, res) => {
        for (let i = 1; i <= 10_000; i++)
          if (!process.stdout.write(i + " " + "x".repeat(1_000) + "\\n")) await new Promise((go) => process.stdout.once("drain", go));
        console.error("y".repeat(200_000) + "\\nerror end");
        console.log("end");
        res.send("printed");
      };`,
  });
  const { supervisor, call, printed: print } = startSupervisor(t);
  await supervisor.apply([{ name: "hello", folder, min: 1 }]);
  const followed = Promise.all([print("hello", "end"), print("hello", "error end")]);

  const { instance } = await call("hello");
  await followed;
  const lines = [];
  for await (const line of supervisor.logs("hello")) lines.push(line);
  const printed = lines.filter(({ stream, text }) => stream === "stdout" && text !== "end");
  const errors = lines.filter(({ stream }) => stream === "stderr");

  assert.ok(printed.length < 1_200, `${printed.length} lines are kept`);
  assert.equal(printed.at(-1)?.text.split(" ")[0], "10000");
  assert.equal(printed.at(-1)?.instance, instance);
  assert.equal(errors.at(-2)?.text.length, 65_536);
  const tail = [];
  for await (const { text } of supervisor.logs("hello", { tail: 3 })) tail.push(text);
  assert.equal(tail.length, 3);
});

test("stop finishes what is in flight", async (t) => {
  const folder = makeProject(t, {
    "index.mjs": `export const hello = async (req, res) => {
      console.log("begun");
      await new Promise((resolve) => setTimeout(resolve, 300));
      res.send("finished");
    };`,
  });
  const { supervisor, call, printed } = startSupervisor(t);
  await supervisor.apply([{ name: "hello", folder, min: 1 }]);
  const reply = call("hello");
  await printed("hello", "begun");

  await supervisor.stop(5);

  assert.equal((await reply).text, "finished");
});

test("a process that ignores SIGTERM, or blocks, is killed after the grace period", async (t) => {
  const folder = makeProject(t, {
    "index.mjs": `process.on("SIGTERM", () => {});
      export const hello = (req, res) => {
        console.log("begun");
        while (req.path === "/block");
        setInterval(() => {}, 1_000);
      };`,
  });
  const { supervisor, ready, printed } = startSupervisor(t);
  await supervisor.apply([{ name: "hello", folder, min: 2, max: 2 }]);
  const instances = await ready("hello", 2);
  const cut = instances.map(({ address }, index) =>
    assert.rejects(get(address ?? "", index === 0 ? "/block" : "/hang")),
  );
  await printed("hello", "begun", 2);

  await supervisor.stop(0.1);

  for (const { pid } of instances) await untilGone(pid ?? 0);
  await Promise.all(cut);
  assert.equal(supervisor.status().length, 0);
});

test("nothing that was stopped is started again, and a stop while it loads is no failure", async (t) => {
  const folder = makeProject(t, {
    "index.mjs": "console.log('loading'); await new Promise(() => setInterval(() => {}, 1e6));",
  });
  const { supervisor, changes, printed } = startSupervisor(t);
  const applied = supervisor.apply([{ name: "hello", folder, min: 1 }]);
  await printed("hello", "loading");
  const pid = supervisor.status("hello").instances[0]?.pid ?? 0;

  await supervisor.apply([]);
  await applied;
  await supervisor.stop();

  await untilGone(pid);
  assert.deepEqual(
    changes.map(({ state, error }) => [state, error]),
    [
      ["starting", undefined],
      ["draining", undefined],
      ["stopped", undefined],
    ],
  );
});
