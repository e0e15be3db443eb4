/** What a worker and its parent owe each other: news to the last moment, and no process that outlives the parent. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";

import { type InvocationNews, listen } from "../../src/telemetry/channels";
import { untilGone } from "../support/processes";
import { makeProject } from "../support/project";
import { builtSupervisor, startSupervisor } from "../support/supervisor";
import { withDeadline } from "../support/wait";

test("news of a function says which function and which instance", async (t) => {
  const folder = makeProject(t, { "index.mjs": "export const inner = (req, res) => res.send('ok');" });
  const { supervisor, call } = startSupervisor(t);
  const news = nextInvocation(t);
  await supervisor.apply([{ name: "hello", folder, env: { FUNCTION_TARGET: "inner" } }]);

  const { instance } = await call("hello");
  const { function: name, instance: where, trigger, status } = await news;

  assert.deepEqual([name, where, trigger, status], ["hello", instance, "http", 200]);
});

for (const [what, end] of [
  ["process.exit", "process.exit(3)"],
  ["an uncaught exception", "timer = setTimeout(() => { throw new Error('outside') }, 0)"],
] as const) {
  test(`the last news of a process that ends by ${what} gets out`, async (t) => {
    const folder = makeProject(t, {
      // Answered, told, and then the end: long before the next batch of news is due.
      "index.mjs": `import { AsyncResource } from "node:async_hooks";
        const outside = new AsyncResource("outside");
        let timer;
        export const hello = (req, res) => {
          res.on("close", () => queueMicrotask(() => outside.runInAsyncScope(() => { ${end}; })));
          res.send("bye");
        };`,
    });
    const { supervisor, call, change } = startSupervisor(t);
    const news = nextInvocation(t);
    await supervisor.apply([{ name: "hello", folder, min: 1, max: 1 }]);

    const { instance } = await call("hello");
    const { error } = await change((one) => one.error !== undefined, "it ends");

    assert.equal((await news).instance, instance);
    assert.equal(error?.code, "FF_INSTANCE_CRASHED");
  });
}

function nextInvocation(t: TestContext): Promise<InvocationNews> {
  const news = new Promise<InvocationNews>((resolve) => t.after(listen("invocation", resolve)));
  return withDeadline(news, "an invocation is told");
}

const modules: [what: string, module: string, path: string | undefined][] = [
  ["is idle", "console.log('begun'); export const hello = () => {};", undefined],
  [
    "blocks its event loop",
    "export const hello = () => { process.stdout.write('begun\\n'); while (true) {} };",
    "/",
  ],
  [
    "ignores SIGTERM and has a request that never ends",
    "process.on('SIGTERM', () => {}); export const hello = () => { console.log('begun'); setInterval(() => {}, 1e6); };",
    "/",
  ],
  ["loads for ever", "console.log('begun'); await new Promise(() => setInterval(() => {}, 1e6));", undefined],
  ["blocks while it loads", "process.stdout.write('begun\\n'); while (true) {}", undefined],
];
for (const [what, module, path] of modules) {
  test(`no orphan when the parent is killed -9: a function that ${what}`, async (t) => {
    const folder = makeProject(t, { "index.mjs": module });
    const parent = startParent(t, folder, path);
    const { pid, folder: sockets } = await parent.begun;

    parent.child.kill("SIGKILL");

    await untilGone(pid);
    if (sockets) assert.equal(existsSync(sockets), false, "the folder of the sockets is left");
  });
}

/** A process of its own that supervises the function, calls it, and tells when it has begun. */
function startParent(t: TestContext, folder: string, path: string | undefined) {
  const script = `
    const { request } = require("node:http");
    const { createSupervisor } = require(${JSON.stringify(builtSupervisor)});
    const supervisor = createSupervisor({
      onChange({ state, address, pid }) {
        if (state === "starting" || state === "ready") console.log(JSON.stringify({ state, address, pid: supervisor.status("hello").instances[0].pid }));
        if (state === "ready" && ${path !== undefined})
          request({ socketPath: address.slice(5), path: ${JSON.stringify(path)} }).on("error", () => {}).end();
      },
      onOutput(from, stream, chunk) {
        const [{ pid, address }] = supervisor.status("hello").instances;
        if (String(chunk).includes("begun")) console.log(JSON.stringify({ begun: true, pid, address }));
      },
    });
    supervisor.apply([{ name: "hello", folder: ${JSON.stringify(folder)}, min: 1, env: { FUNCTION_TARGET: "hello", FF_GRACE_PERIOD: "0.2" } }]);
  `;
  const child: ChildProcess = spawn(process.execPath, ["-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const begun = new Promise<{ pid: number; folder: string | undefined }>((resolve) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const said = JSON.parse(line);
      if (said.begun)
        resolve({
          pid: said.pid,
          folder: said.address ? dirname(said.address.slice("unix:".length)) : undefined,
        });
    });
  });
  return { child, begun: withDeadline(begun, "the function has begun") };
}
