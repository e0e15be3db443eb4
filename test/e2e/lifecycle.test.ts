/** The user's work at the start and the end: the exports init and shutdown, functions.onStart and onStop. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";

import { logLines, runFramework, spawnFramework } from "./support/framework";
import { postJson, refusal, request } from "./support/http";
import { asyncContext, makeUserProject, startModule } from "./support/modules";

const commonJs = `
  const functions = require("@openfunction/functions-framework");
  const later = (text) => new Promise((resolve) => setImmediate(() => { console.log(text); resolve(); }));
  exports.serve = (req, res) => res.send("called");`;

const args = ["--target=serve"];
const served = /^Serving function/m;

async function run(t: TestContext, source: string, more: string[] = [], file = "index.js") {
  const project = await makeUserProject(t, { [file]: source });
  return runFramework([...args, "--port=0", ...more], { project });
}

/** What a module with stop hooks says from the signal to its end. */
async function stop(t: TestContext, source: string, more: string[] = []) {
  const framework = await startModule(t, commonJs + source, [...args, ...more]);
  const before = framework.stdout.length;
  framework.kill("SIGTERM");
  const { code, stdout } = await framework.ended();
  return { code, told: stdout.slice(before).trim().split("\n"), logs: framework.logs() };
}

const modules: [kind: string, file: "index.js" | "index.mjs", target: string, source: string][] = [
  [
    "a CommonJS module",
    "index.js",
    "serve",
    `${commonJs} exports.init = () => later("init"); exports.shutdown = () => later("shutdown");`,
  ],
  [
    "an ES module",
    "index.mjs",
    "serve",
    `export const serve = (req, res) => res.send("called");
     export async function init() { console.log("init"); }
     export async function shutdown() { console.log("shutdown"); }`,
  ],
  [
    "an object as default export",
    "index.mjs",
    "default.serve",
    `export default {
       serve: (req, res) => res.send("called"),
       init: async () => console.log("init"),
       shutdown: () => console.log("shutdown"),
     };`,
  ],
  [
    "members of an exported function",
    "index.js",
    "default",
    `module.exports = Object.assign((req, res) => res.send("called"), {
       init: () => console.log("init"),
       shutdown: () => console.log("shutdown"),
     });`,
  ],
];

describe("start and stop", { concurrency: 3 }, () => {
  for (const [kind, file, target, source] of modules) {
    test(`init and shutdown of ${kind} are called once each`, async (t) => {
      const framework = await startModule(t, source, [`--target=${target}`], { file });
      const reply = await request(framework.url);
      const { code, stdout } = await framework.stop();

      assert.equal(reply.text, "called");
      assert.equal(code, 0);
      assert.match(stdout, /^init\nServing function\.\.\.\n(?:.+\n){3}shutdown\n$/);
    });
  }

  for (const name of ["init", "readiness", "default"]) {
    test(`an export ${name} that throws when it is read is told as the user's failure`, async (t) => {
      const { code, stderr } = await run(
        t,
        `exports.serve = (req, res) => res.send("called");
         Object.defineProperty(exports, "${name}", { get() { throw new Error("no luck"); } });`,
      );

      const [line] = logLines(stderr);
      assert.equal(code, 1);
      assert.deepEqual(
        [line?.code, line?.message],
        ["FF_START_FAILED", `The export ${name} failed, so nothing is served: no luck`],
      );
      assert.match(line?.stack ?? "", /index\.js:2:/);
    });
  }

  test("init, then onStart in its order, each awaited before the next and before anything listens", async (t) => {
    const framework = await startModule(
      t,
      `${commonJs}
       functions.onStart(() => later("first"));
       functions.onStart(() => later("second"));
       exports.init = () => later("init");
       console.log("module");`,
      args,
    );

    assert.match(framework.stdout, /^module\ninit\nfirst\nsecond\nServing function\.\.\.\n/);
  });

  test("deliveries come after the start and end before the stop", async (t) => {
    const framework = await startModule(
      t,
      `${commonJs}
       exports.handle = async () => { console.log("called"); await new Promise((resolve) => process.stdin.once("data", resolve)); console.log("done"); };
       exports.init = () => later("init");
       exports.shutdown = () => later("shutdown");`,
      ["--target=handle"],
      { env: asyncContext() },
    );

    const pending = postJson(`${framework.url}/queue`, {});
    await framework.says("called\n");
    framework.kill("SIGTERM");
    await refusal(framework.port);
    framework.tell("go on");
    const { code, stdout } = await framework.ended();

    assert.equal((await pending).status, 200);
    assert.equal(code, 0);
    assert.match(stdout, /^init\nServing .+\ncalled\ndone\nshutdown\n$/s);
  });

  const failures: [what: string, source: string, message: RegExp][] = [
    [
      "init throws",
      `exports.init = function connect() { throw new Error("no database"); };`,
      /The export init failed.*no database/,
    ],
    [
      "init rejects",
      `exports.init = async function connect() { await later("init"); throw new Error("no database"); };`,
      /The export init failed.*no database/,
    ],
    ["init throws null", `exports.init = () => { throw null; };`, /The export init failed.*null/],
    [
      "init rejects with a text",
      `exports.init = () => Promise.reject("no luck");`,
      /The export init failed.*no luck/,
    ],
    [
      "onStart throws",
      `functions.onStart(function connect() { throw new Error("no database"); });`,
      /A function of onStart failed.*no database/,
    ],
    [
      "init is never done",
      `exports.init = () => new Promise(() => {});`,
      /it waits for something that never comes/,
    ],
  ];

  for (const [what, source, message] of failures) {
    test(`a start that fails is told and ends with 1: ${what}`, async (t) => {
      const { code, stdout, stderr } = await run(t, `${commonJs}\n${source}`);

      const [line, ...more] = stderr
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text));
      assert.equal(code, 1);
      assert.doesNotMatch(stdout, served);
      assert.deepEqual(more, []);
      assert.equal(line.code, "FF_START_FAILED");
      assert.match(line.message, message);
      if (source.includes("connect"))
        assert.match(line.stack, /at (?:async )?(?:exports\.|Object\.)?connect .*index\.js:5:/);
      assert.doesNotMatch(line.stack ?? "", /\/dist\//);
    });
  }

  test("after a failure nothing more is started", async (t) => {
    const { stdout } = await run(
      t,
      `${commonJs} exports.init = () => { throw new Error("no"); }; functions.onStart(() => console.log("started"));`,
    );

    assert.equal(stdout, "");
  });

  test("process.exit(n) in init ends with n", async (t) => {
    assert.equal((await run(t, `${commonJs} exports.init = () => process.exit(3);`)).code, 3);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} while init runs ends the process with 0`, async (t) => {
      const project = await makeUserProject(t, {
        "index.js": `${commonJs} exports.init = () => new Promise((resolve) => { console.log("connecting"); setTimeout(resolve, 600_000); });`,
      });
      const framework = spawnFramework([...args, "--port=0"], { project });
      t.after(framework.stop);
      await framework.says("connecting\n");

      framework.kill(signal);
      const ending = await framework.ended();

      assert.deepEqual([ending.code, ending.signal, ending.stderr], [0, null, ""]);
      assert.doesNotMatch(ending.stdout, served);
    });
  }

  test("the stop comes after everything in flight, newest first, the export last", async (t) => {
    const framework = await startModule(
      t,
      `${commonJs}
       exports.serve = async (req, res) => {
         console.log("working");
         await new Promise((resolve) => process.stdin.once("data", resolve));
         res.on("close", () => console.log("answered")).send("called");
       };
       exports.shutdown = () => later("shutdown");
       functions.onStop(() => later("first"));
       functions.onStop(() => later("second"));`,
      args,
    );
    const pending = request(framework.url);
    await framework.says("working\n");

    framework.kill("SIGTERM");
    await refusal(framework.port);
    framework.tell("go on");
    const { code, stdout } = await framework.ended();

    assert.equal((await pending).text, "called");
    assert.equal(code, 0);
    assert.match(stdout, /\nworking\nanswered\nsecond\nfirst\nshutdown\n$/);
  });

  test("a stop that fails is told, the others are done, and the exit code stays 0", async (t) => {
    const { code, told, logs } = await stop(
      t,
      `functions.onStop(() => later("first"));
       functions.onStop(async () => { throw new Error("cannot close"); });
       functions.onStop(() => { throw null; });
       exports.shutdown = () => { console.log("shutdown"); throw new Error("no farewell"); };`,
    );

    assert.equal(code, 0);
    assert.deepEqual(told, ["first", "shutdown"]);
    assert.deepEqual(
      logs.map(({ level, message }) => [level, message]),
      [
        ["error", "null"],
        ["error", "cannot close"],
        ["error", "no farewell"],
      ],
    );
    assert.match(logs[2]?.stack ?? "", /index\.js:\d+/);
  });

  test("a stop that is never done is told and left", async (t) => {
    const { code, logs } = await stop(t, `exports.shutdown = () => new Promise(() => {});`, [
      "--grace-period=0",
    ]);

    assert.equal(code, 0);
    assert.match(logs[0]?.message ?? "", /^Not everything was closed within 1 s/);
  });

  test("after a crash the stop is done too, and the exit code is 16", async (t) => {
    const framework = await startModule(
      t,
      `${commonJs}
       process.stdin.once("data", () => { throw new Error("background work failed"); });
       exports.shutdown = () => later("shutdown");`,
      args,
    );

    framework.tell("crash");
    const { code, stdout } = await framework.ended();

    assert.equal(code, 16);
    assert.match(stdout, /\nshutdown\n$/);
  });

  test("a lifecycle name that is the target is a function and nothing else", async (t) => {
    const source = `
      exports.init = (req, res) => res ? res.send("I am the function") : console.log("called at the start");
      exports.shutdown = () => console.log("shutdown");`;
    const framework = await startModule(t, source, ["--target=init"]);

    const reply = await request(framework.url);
    const { code, stdout } = await framework.stop();

    assert.equal(reply.text, "I am the function");
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /called at the start/);
    assert.match(stdout, /\nshutdown\n$/);
  });

  test("what is no function is no hook", async (t) => {
    const framework = await startModule(
      t,
      `${commonJs} exports.init = 5; exports.shutdown = { a: 1 };`,
      args,
    );

    assert.equal((await request(framework.url)).text, "called");
    assert.equal((await framework.stop()).code, 0);
  });

  for (const call of ["onStart(5)", "onStop(undefined)", "use({})"]) {
    test(`what is no function cannot be registered: functions.${call}`, async (t) => {
      const { code, stderr } = await run(t, `${commonJs}\nfunctions.${call};`);

      assert.equal(code, 1);
      assert.match(stderr, /A hook must be a function, not of type (?:number|undefined|object)/);
      assert.match(stderr, /"place":"[^"]+index\.js:5:11"/);
    });
  }
});
