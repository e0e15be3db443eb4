/** `--workers`: several processes behind one port look like one, and less is lost when one of them ends. */
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { residentMiB, untilGone } from "../support/processes";
import { withDeadline } from "../support/wait";
import { type Framework, runFramework, startFramework } from "./support/framework";
import { refusal, request } from "./support/http";
import { asyncContext, makeUserProject, startModule } from "./support/modules";

const bin = join(__dirname, "../../bin/functions-framework.js");

const module = `
  const { existsSync } = require("node:fs");
  const until = (file) => new Promise((resolve) => {
    const timer = setInterval(() => existsSync(file) && (clearInterval(timer), resolve()), 10);
  });
  let load = 0;
  exports.shutdown = () => console.log("shutdown " + process.pid + " after " + load);
  exports.serve = async (req, res) => {
    if (req.path === "/load") load++;
    if (req.path === "/exit") process.exit(9);
    if (req.path === "/block") { console.log("blocks " + process.pid); while (!existsSync("go")); }
    if (req.path === "/wait") { console.log("waits " + process.pid); await until("go"); }
    res.send(String(process.pid));
  };`;

/** Served with two workers, both of them ready. */
async function startTwo(t: TestContext, args: string[] = [], source = module) {
  const project = await makeUserProject(t, { "index.js": source });
  const framework = await startFramework(["--target=serve", "--workers=2", ...args], { project });
  t.after(() => framework.stop());
  await pidsOf(framework, 2);
  return { framework, go: () => writeFileSync(join(project, "go"), "") };
}

/** Asks on new connections until so many workers, none of them `but`, have answered. */
async function pidsOf({ url }: Pick<Framework, "url">, count: number, but: number[] = []): Promise<number[]> {
  const pids = new Set<number>();
  const ask = async () => {
    while (pids.size < count) {
      // Two at once: a worker that is idle gets the second.
      const replies = await Promise.all(
        [request(url), request(url)].map((one) => one.catch(() => undefined)),
      );
      for (const reply of replies)
        if (reply && !but.includes(Number(reply.text))) pids.add(Number(reply.text));
    }
  };
  await withDeadline(ask(), `${count} workers answer`, 30_000);
  return [...pids];
}

const waiting = (stdout: string) => [...stdout.matchAll(/^waits (\d+)$/gm)].map(([, pid]) => Number(pid));

function figureOf(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(name));
  return Number(line?.split(" ").at(-1));
}

describe("start", { concurrency: 2 }, () => {
  test("one banner, one line about what is served, and two processes that answer", async (t) => {
    const framework = await startModule(
      t,
      "module.exports.only = (req, res) => res.send(String(process.pid));",
      [],
      {
        env: { FF_WORKERS: "2" },
      },
    );

    const pids = await pidsOf(framework, 2);
    const messages = framework.logs().map(({ message }) => message);

    assert.ok(!pids.includes(framework.pid));
    assert.equal(
      framework.stdout,
      `Serving function...\nFunction: only\nSignature type: http\nURL: http://localhost:${framework.port}/\n`,
    );
    assert.deepEqual(messages, [
      'No target is given: "only" is the only function, so it is served.',
      "2 workers serve it.",
    ]);
  });

  test("a module that throws: the same words and exit code as without workers", async (t) => {
    const project = await makeUserProject(t, { "index.js": "\nthrow new Error('no database');" });

    const [alone, shared] = await Promise.all(
      ["1", "2"].map((count) => runFramework([`--workers=${count}`, "--log-format=pretty"], { project })),
    );

    assert.match(shared?.stderr ?? "", /FF_LOAD_FAILED .*no database/);
    assert.deepEqual(shared, alone);
    assert.equal(shared?.code, 1);
  });

  for (const [what, source, code, says] of [
    ["ends the process", "process.exit(7);", 7, /^$/],
    ["waits for what never comes", "await new Promise(() => {});", 1, /FF_LOAD_UNSETTLED/],
    ["has no such target", "export const other = () => {};", 1, /FF_TARGET_NOT_FOUND/],
    [
      "is killed",
      "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});",
      1,
      /FF_INSTANCE_EXITED.*signal SIGKILL|signal SIGKILL.*FF_INSTANCE_EXITED/,
    ],
  ] as const) {
    test(`a module that ${what}`, async (t) => {
      const project = await makeUserProject(t, { "index.mjs": source });

      const ending = await runFramework(["--workers=2", "--target=serve", "--port=0"], { project });

      assert.equal(ending.code, code, ending.stderr);
      assert.match(ending.stderr, says);
      assert.ok(ending.stderr.split("\n").length <= 2, ending.stderr);
    });
  }

  test("a port that is taken: one line, exit 1, and no worker is left", async (t) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, resolve));
    t.after(() => taken.close());
    const { port } = taken.address() as { port: number };
    const project = await makeUserProject(t, {
      "index.mjs": "console.log(process.pid); export const serve = () => {};",
    });

    const ending = await runFramework(["--workers=2", "--target=serve", `--port=${port}`], { project });

    assert.equal(ending.code, 1);
    assert.match(ending.stderr, /FF_PORT_IN_USE/);
    assert.equal(ending.stderr.trim().split("\n").length, 1);
    await untilGone(Number(ending.stdout));
  });

  test("a value that is none", async () => {
    const ending = await runFramework(["--workers=0"], { project: "hello" });

    assert.equal(ending.code, 1);
    assert.match(
      ending.stderr,
      /The value \\"0\\" of --workers \(FF_WORKERS\) is not a whole number from 1 to 999, or auto/,
    );
  });

  test("runtime Async: any worker announces the inputs and takes deliveries", async (t) => {
    const source = "exports.serve = (ctx, data) => { console.log(process.pid + ' got ' + data.n); };";
    const framework = await startModule(t, source, ["--target=serve", "--workers=2"], {
      env: asyncContext(),
    });

    const subscriptions = await Promise.all(
      [1, 2, 3, 4].map(() => request(`${framework.url}/dapr/subscribe`)),
    );
    const headers = { "Content-Type": "application/json" };
    const replies = await Promise.all(
      [1, 2, 3, 4].map((n) =>
        request(`${framework.url}/queue`, { method: "POST", headers, body: JSON.stringify({ n }) }),
      ),
    );

    assert.equal(new Set(subscriptions.map(({ text }) => text)).size, 1);
    assert.equal(subscriptions[0]?.json()[0].topic, "invoices/created");
    assert.ok(replies.every(({ status }) => status === 200));
    for (const n of [1, 2, 3, 4]) await framework.says(` got ${n}\n`);
  });
});

describe("workers that end", { concurrency: 2 }, () => {
  test("one that is killed is replaced; what the other one does is not disturbed", async (t) => {
    const { framework, go } = await startTwo(t);
    const pending = request(`${framework.url}/wait`);
    await framework.says("waits ");
    const [busy = 0] = waiting(framework.stdout);
    const victim = (await pidsOf(framework, 1, [busy]))[0] as number;

    process.kill(victim, "SIGKILL");
    await untilGone(victim);
    await pidsOf(framework, 1, [busy, victim]);
    go();
    const reply = await pending;

    assert.deepEqual([reply.status, reply.text], [200, String(busy)]);
    const [crash] = framework.logs().filter(({ code }) => code === "FF_INSTANCE_CRASHED");
    assert.match(crash?.message ?? "", /"serve" ended with signal SIGKILL/);
  });

  test("connections that a blocked worker has not taken are served when it is killed", async (t) => {
    const { framework } = await startTwo(t);
    const cut = request(`${framework.url}/block`).catch(() => "cut");
    await framework.says("blocks ");
    const victim = Number(/^blocks (\d+)$/m.exec(framework.stdout)?.[1]);
    const pending = Array.from({ length: 20 }, () => request(framework.url));
    const [other] = await pidsOf(framework, 1, [victim]);

    process.kill(victim, "SIGKILL");
    const replies = await Promise.all(pending);

    assert.ok(other);
    assert.equal(await cut, "cut");
    assert.ok(replies.every(({ status, text }) => status === 200 && text !== String(victim)));
  });

  test("while one that has crashed finishes its requests, another takes its place", async (t) => {
    const { framework, go } = await startTwo(t);
    const pending = [request(`${framework.url}/wait`), request(`${framework.url}/wait`)];
    await Promise.all(pending.map((_, index) => untilWaiting(framework, index + 1)));
    const before = waiting(framework.stdout);

    process.kill(before[0] as number, "SIGTERM"); // from outside: it leaves by itself
    const [successor] = await pidsOf(framework, 1, before);
    go();
    const replies = await Promise.all(pending);

    assert.ok(successor);
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 200],
    );
    await untilGone(before[0] as number);
  });

  test("workers that crash again and again are started again, later each time, until one serves", async (t) => {
    const source = `
      const { existsSync } = require("node:fs");
      setInterval(() => { if (existsSync("broken")) throw new Error("no luck"); }, 5);
      exports.serve = (req, res) => res.send(String(process.pid));`;
    const project = await makeUserProject(t, { "index.js": source });
    const framework = await startFramework(["--target=serve", "--workers=2"], { project });
    t.after(() => framework.stop());
    const before = await pidsOf(framework, 2);

    writeFileSync(join(project, "broken"), "");
    await framework.says("FF_INSTANCE_CRASH_LOOP");
    rmSync(join(project, "broken"));
    const [after] = await pidsOf(framework, 2, before); // none that crashes is left for the stop
    const { code } = await framework.stop();
    const crash = framework.logs().find((line) => line.code === "FF_INSTANCE_CRASHED");

    assert.ok(after);
    assert.match(crash?.message ?? "", /"serve" ended with exit code 16/);
    assert.ok(framework.logs().some((line) => line.code === "FF_PROCESS_CRASHED"));
    assert.equal(code, 0);
  });

  test("a crash while they drain ends the command with 16", async (t) => {
    const source = `${module}
      process.on("message", ({ type }) => { if (type === "drain") setTimeout(() => { throw new Error("no luck"); }, 20); });`;
    const { framework, go } = await startTwo(t, ["--log-level=debug"], source);
    const pending = request(`${framework.url}/wait`);
    await framework.says("waits ");

    framework.kill("SIGTERM");
    await framework.says("FF_PROCESS_CRASHED");
    go();
    const { code } = await framework.ended();

    assert.equal((await pending).status, 200);
    assert.equal(code, 16);
  });

  test("when all have ended, connections wait for the next", async (t) => {
    const { framework } = await startTwo(t);
    const pids = await pidsOf(framework, 2);

    for (const pid of pids) process.kill(pid, "SIGKILL");
    await Promise.all(pids.map(untilGone));
    const replies = await Promise.all([1, 2, 3].map(() => request(framework.url)));

    assert.ok(replies.every(({ status, text }) => status === 200 && !pids.includes(Number(text))));
  });
});

async function untilWaiting(framework: Framework, count: number): Promise<void> {
  const look = async () => {
    while (waiting(framework.stdout).length < count) await setTimeout(10);
  };
  await withDeadline(look(), `${count} requests wait`);
}

describe("metrics and health", { concurrency: 2 }, () => {
  const scrape = async ({ url }: Framework) => (await request(`${url}/metrics`)).text;

  test("any worker tells the figures of all, the dead included", async (t) => {
    const { framework } = await startTwo(t, ["--metrics"]);
    const before = figureOf(await scrape(framework), "faas_invocations_total");
    for (let count = 0; count < 20; count++) await request(framework.url);

    const counted = new Set(await Promise.all([1, 2, 3, 4].map(() => scrape(framework))));
    const totals = [...counted].map((text) => figureOf(text, "faas_invocations_total"));
    assert.deepEqual(new Set(totals), new Set([before + 20]));

    const pids = await pidsOf(framework, 2);
    const last = figureOf(await scrape(framework), "faas_invocations_total");
    process.kill(pids[0] as number, "SIGKILL");
    await untilGone(pids[0] as number);
    const after = await scrape(framework);

    assert.ok(figureOf(after, "faas_invocations_total") >= last);
    assert.equal(
      figureOf(after, 'faas_invoke_duration_seconds_bucket{le="+Inf"'),
      figureOf(after, "faas_invocations_total"),
    );
  });

  test("a blocked worker does not hold them up", async (t) => {
    const { framework, go } = await startTwo(t, ["--metrics"]);
    await scrape(framework);
    const before = figureOf(await scrape(framework), "faas_invocations_total");
    const blocked = request(`${framework.url}/block`);
    await framework.says("blocks ");

    const [text] = await Promise.race([
      Promise.all([scrape(framework)]),
      Promise.all([scrape(framework), scrape(framework)]), // one of them may be the blocked one's
    ]);
    go();

    assert.ok(figureOf(text ?? "", "faas_invocations_total") >= before);
    assert.equal((await blocked).status, 200);
  });

  test("none is ready while they drain", async (t) => {
    const { framework, go } = await startTwo(t, ["--health", "--log-level=debug"]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const readiness = () => request(`${framework.url}/health/readiness`, { agent });
    const pending = request(`${framework.url}/wait`);
    await framework.says("waits ");
    const ready = await readiness();

    const draining = readiness.bind(null);
    framework.kill("SIGTERM");
    await refusal(framework.port);
    await framework.says("the parent asked for it");
    const later = await draining().catch(() => undefined); // the connection may have ended by now
    go();

    assert.equal(ready.status, 200);
    if (later) assert.equal(later.status, 503);
    assert.equal((await pending).status, 200);
    assert.equal((await framework.ended()).code, 0);
  });
});

describe("signals", { concurrency: 2 }, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} under load cuts no request, hooks run in each worker, and the exit code is 0`, async (t) => {
      const { framework } = await startTwo(t);
      const pids = await pidsOf(framework, 2);
      const agents = Array.from({ length: 4 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
      t.after(() => agents.map((agent) => agent.destroy()));
      let isOver = false;
      let answered = 0;
      const cut: unknown[] = [];
      let reset = 0;
      const client = async (agent?: Agent) => {
        while (!isOver) {
          const reply = await request(`${framework.url}/load`, agent ? { agent } : {}).catch(
            (err) => err as NodeJS.ErrnoException,
          );
          if (!(reply instanceof Error) && reply.status === 200) answered++;
          // Nobody listens any more, which is the end: there was no connection, and so no request.
          else if (reply instanceof Error && reply.syscall === "connect") return;
          // The kernel resets what connects between the last look of the parent and the closing of the port.
          else if (!agent && reply instanceof Error && reply.code === "ECONNRESET") reset++;
          else cut.push(reply instanceof Error ? reply : reply.status);
        }
      };
      const clients = [...agents.map((agent) => client(agent)), client(), client()];
      await setTimeout(300);

      if (signal === "SIGTERM") framework.kill(signal);
      else for (const pid of [framework.pid, ...pids]) process.kill(pid, signal); // Ctrl-C reaches all
      const ending = await framework.ended();
      isOver = true;
      await Promise.all(clients);

      const begun = [...ending.stdout.matchAll(/^shutdown \d+ after (\d+)$/gm)].map(([, count]) =>
        Number(count),
      );
      assert.deepEqual(cut, []);
      assert.ok(answered > 0);
      assert.equal(
        answered,
        begun.reduce((sum, count) => sum + count, 0),
      ); // what reached a function was answered
      assert.ok(reset <= 2, `${reset} were reset`);
      assert.deepEqual([ending.code, ending.signal], [0, null]);
      for (const pid of pids) assert.match(ending.stdout, new RegExp(`^shutdown ${pid} after`, "m"));
      await Promise.all(pids.map(untilGone));
      assert.equal(ending.stderr.match(/"level":"(warn|error)"/), null, ending.stderr);
    });
  }

  test("a second signal ends all at once with 128 + its number", async (t) => {
    const { framework } = await startTwo(t, ["--grace-period=600", "--log-level=debug"]);
    const pending = request(`${framework.url}/wait`);
    await framework.says("waits ");
    const pids = await pidsOf(framework, 2);

    framework.kill("SIGTERM");
    await framework.says("the parent asked for it");
    framework.kill("SIGTERM");
    const { code } = await framework.ended();
    const reply = await pending;

    assert.equal(code, 143);
    assert.deepEqual([reply.status, reply.text], [500, "The process ends with code 143."]);
    await Promise.all(pids.map(untilGone));
  });

  for (const [what, path] of [
    ["idle", "/"],
    ["blocked", "/block"],
  ] as const) {
    test(`kill -9 of the parent leaves no worker: ${what}, and deaf to SIGTERM`, async (t) => {
      const source = `${module}\nprocess.on("SIGTERM", () => {}); process.on("disconnect", () => {});`;
      const { framework } = await startTwo(t, ["--grace-period=1"], source);
      const pids = await pidsOf(framework, 2);
      const cut = request(framework.url + path).catch(() => undefined);
      if (path === "/block") await framework.says("blocks ");

      framework.kill("SIGKILL");

      await Promise.all(pids.map(untilGone));
      await cut;
    });
  }
});

describe("output", { concurrency: 2 }, () => {
  /** Prints JSON lines of about 2 KB; the answer is the pid of the parent. */
  const printing = (stream = "stdout") => `exports.serve = (req, res) => {
      for (let n = 0; n < 200; n++) process.${stream}.write(JSON.stringify({ n, text: "é".repeat(1000) }) + "\\n");
      res.send(String(process.ppid));
    };`;
  const jsonLines = (text: string) => text.split("\n").filter((line) => line.startsWith('{"n"'));

  // What a test reads from is a socket: hence the shell.
  for (const [what, stream, pipe] of [
    ["stdout", "stdout", "| cat"],
    ["stdout and stderr in one pipe", 'std" + (n % 2 ? "out" : "err") + "', "2>&1 | cat"],
  ] as const) {
    test(`lines come out of a pipe whole, whichever worker wrote them, and all of them before the end: ${what}`, async (t) => {
      const source = printing().replace("process.stdout", `process["${stream}"]`);
      const project = await makeUserProject(t, { "index.js": source });
      const script = `'${process.execPath}' '${bin}' --target=serve --workers=2 --grace-period=60 ${pipe}`;
      const framework = await startFramework(["-c", script], {
        project,
        command: "/bin/sh",
        env: { PORT: "0" },
      });
      t.after(() => framework.stop());

      const replies = await Promise.all(Array.from({ length: 20 }, () => request(framework.url)));
      process.kill(Number(replies[0]?.text), "SIGTERM");
      const { code, stdout } = await framework.ended();

      const lines = jsonLines(stdout);
      assert.equal(lines.length, 4_000);
      for (const line of lines) assert.equal(JSON.parse(line).text.length, 1_000);
      assert.equal(code, 0);
    });
  }

  test("100 MB that nobody reads yet do not grow the parent, and come out at its end", {
    skip: !existsSync("/proc/self/status"),
  }, async (t) => {
    const source = `exports.serve = (req, res) => {
      for (let n = 0; n < 1000; n++) process.stdout.write("x".repeat(99_999) + "\\n");
      res.send("done");
    };`;
    const project = await makeUserProject(t, { "index.js": source });
    let bytes = 0;
    const framework = await startFramework(["--target=serve", "--workers=2", "--grace-period=60"], {
      project,
      keep: 1_000,
      onStdout: (text) => {
        if (text.includes("x")) bytes += text.length; // the banner is short
      },
    });
    t.after(() => framework.stop());
    const before = residentMiB(framework.pid);

    const readOn = framework.holdOutput();
    const reply = await request(framework.url);
    await setTimeout(500); // as much as would come has come
    const after = residentMiB(framework.pid);
    framework.kill("SIGTERM");
    await refusal(framework.port);
    readOn();
    const { code } = await framework.ended();

    assert.equal(reply.text, "done");
    assert.ok(after - before < 30, `${before} → ${after} MiB`);
    assert.ok(bytes >= 100_000_000, `${bytes} bytes`);
    assert.equal(code, 0);
  });

  test("what a worker has written comes out when it is killed, though nobody reads at that moment", async (t) => {
    const source = `exports.serve = (req, res) => {
      if (req.path !== "/die") return res.send(String(process.pid));
      for (let n = 0; n < 50; n++) process.stdout.write(JSON.stringify({ n, text: "x".repeat(1_000) }) + "\\n");
      process.stdout.write("half a li");
      process.kill(process.pid, "SIGKILL");
    };`;
    const { framework } = await startTwo(t, [], source);

    const readOn = framework.holdOutput();
    for (let death = 0; death < 4; death++) await request(`${framework.url}/die`).catch(() => undefined);
    await request(framework.url);
    readOn();
    const { code, stdout } = await framework.stop();

    assert.equal(jsonLines(stdout).map((line) => JSON.parse(line)).length, 200);
    assert.equal(stdout.match(/^half a li$/gm)?.length, 4);
    assert.equal(code, 0);
  });

  test("a reader that goes away ends nobody, and holds up no end", async (t) => {
    const project = await makeUserProject(t, { "index.js": printing() });
    const framework = await startFramework(["--target=serve", "--workers=2"], { project });
    t.after(() => framework.stop());

    const readOn = framework.holdOutput();
    await request(framework.url);
    framework.closeOutput();
    readOn();
    for (let count = 0; count < 10; count++) assert.equal((await request(framework.url)).status, 200);
    const { code } = await framework.stop();

    assert.equal(code, 0);
  });
});
