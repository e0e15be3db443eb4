/** `serve(fn, options)`: the server of the command, from a script of the user's. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";

import type { Framework } from "./support/framework";
import { postJson, type Reply, refusal, request } from "./support/http";
import { asyncContext, runScript, startScript } from "./support/modules";

const load = `const functions = require("@openfunction/functions-framework"); const { serve } = functions;`;

/** Serves `fn` with the options, both as source text. */
function start(t: TestContext, fn: string, options = "", env: Record<string, string> = {}) {
  return startScript(t, `${load} serve(${fn}${options && `, ${options}`});`, { env });
}

const hello = `(req, res) => res.send("hello")`;

describe("serve()", { concurrency: 3 }, () => {
  test("resolves when it listens, and says where and what", async (t) => {
    const script = await startScript(
      t,
      `${load} serve(function hi(req, res) { res.send("hi"); }, { port: 0 }).then((server) => {
        console.log(JSON.stringify({ functions: server.functions, port: server.port, url: server.url }));
      });`,
    );
    await script.says("}\n");

    const told = JSON.parse(script.stdout.split("\n").find((line) => line.startsWith("{")) ?? "");
    assert.deepEqual(told, {
      functions: [{ name: "hi", signature: "http", path: "/" }],
      port: script.port,
      url: `http://localhost:${script.port}/`,
    });
    assert.match(script.stdout, /^Serving function\.\.\.\nFunction: hi\nSignature type: http\nURL: /);
    assert.equal((await request(`${script.url}/any/path`)).text, "hi");
  });

  for (const [fn, options, name] of [
    [hello, "", "function"],
    [hello, `{ name: "mine" }`, "mine"],
    ["function own(req, res) { res.send('hello'); }", `{ name: "mine" }`, "mine"],
  ] as const) {
    test(`the name is ${name}`, async (t) => {
      const script = await start(t, fn, options);

      assert.match(script.stdout, new RegExp(`^Function: ${name}$`, "m"));
    });
  }

  test("works from an ES module, with a top-level await", async (t) => {
    const script = await startScript(
      t,
      `import { serve } from "@openfunction/functions-framework";
       const server = await serve(${hello});
       console.log("listening on", server.port);`,
      { file: "index.mjs" },
    );

    await script.says(`listening on ${script.port}\n`);
    assert.equal((await request(script.url)).text, "hello");
  });

  const statusOf = async (reply: Promise<Reply>) => (await reply).status;
  const settings: [
    what: string,
    fn: string,
    options: string,
    env: Record<string, string>,
    ask: (script: Framework) => Promise<unknown>,
    expected: unknown,
  ][] = [
    ["timeout", "(req, res) => {}", "{ timeout: 1 }", {}, ({ url }) => statusOf(request(url)), 504],
    [
      "timeout of the environment",
      "(req, res) => {}",
      "",
      { CLOUD_RUN_TIMEOUT_SECONDS: "1" },
      ({ url }) => statusOf(request(url)),
      504,
    ],
    [
      "timeout wins over the environment",
      `(req, res) => void setTimeout(() => res.send("late"), 1100)`,
      "{ timeout: 0 }",
      { CLOUD_RUN_TIMEOUT_SECONDS: "1" },
      ({ url }) => statusOf(request(url)),
      200,
    ],
    [
      "bodyLimit as a size",
      hello,
      `{ bodyLimit: "1kb" }`,
      {},
      ({ url }) => statusOf(postJson(url, { a: "x".repeat(2000) })),
      413,
    ],
    [
      "bodyLimit as a number",
      hello,
      "{ bodyLimit: 10 }",
      {},
      ({ url }) => statusOf(postJson(url, { a: "x".repeat(20) })),
      413,
    ],
    [
      "bodyMode",
      `(req) => typeof req.body`,
      `{ bodyMode: "stream" }`,
      {},
      async ({ url }) => (await postJson(url, {})).text,
      "undefined",
    ],
    [
      "ignoredRoutes as a list",
      hello,
      `{ ignoredRoutes: ["/a", "/b"] }`,
      {},
      ({ url }) => Promise.all(["/a", "/b", "/favicon.ico"].map((path) => statusOf(request(url + path)))),
      [404, 404, 200],
    ],
    [
      "ignoredRoutes as a text",
      hello,
      `{ ignoredRoutes: "/a,/b" }`,
      {},
      ({ url }) => statusOf(request(`${url}/b`)),
      404,
    ],
    [
      "no ignoredRoutes",
      hello,
      "{ ignoredRoutes: [] }",
      {},
      ({ url }) => statusOf(request(`${url}/favicon.ico`)),
      200,
    ],
    [
      "health",
      hello,
      "{ health: true }",
      {},
      async ({ url }) => (await request(`${url}/health/liveness`)).text,
      "OK",
    ],
    [
      "metrics",
      hello,
      "{ metrics: true }",
      {},
      async ({ url }) => (await request(`${url}/metrics`)).text.includes("faas_"),
      true,
    ],
    [
      "signatureType",
      "(request) => ({ request })",
      `{ signatureType: "typed" }`,
      {},
      async ({ url }) => (await postJson(url, 5)).json(),
      { request: 5 },
    ],
    [
      "signatureType of the environment",
      "(request) => ({ request })",
      "",
      { FUNCTION_SIGNATURE_TYPE: "typed" },
      async ({ url }) => (await postJson(url, 5)).json(),
      { request: 5 },
    ],
    [
      "what is undefined counts as not given",
      "(request) => ({ request })",
      "{ signatureType: undefined }",
      { FUNCTION_SIGNATURE_TYPE: "typed" },
      async ({ url }) => (await postJson(url, 5)).json(),
      { request: 5 },
    ],
    [
      "context as an object",
      "(ctx) => ctx.name",
      `{ signatureType: "openfunction", context: { name: "mine", runtime: "Knative" } }`,
      {},
      async ({ url }) => (await postJson(url, {})).text,
      "mine",
    ],
    [
      "context as a text",
      "(ctx) => ctx.name",
      `{ signatureType: "openfunction", context: '{"name":"mine","runtime":"Knative"}' }`,
      {},
      async ({ url }) => (await postJson(url, {})).text,
      "mine",
    ],
    [
      "context of the environment, runtime Async",
      "(ctx, data) => data",
      "",
      asyncContext(),
      async ({ url }) => (await postJson(`${url}/queue`, { a: 1 })).json(),
      { a: 1 },
    ],
    ["host", hello, `{ host: "127.0.0.1" }`, {}, async ({ url }) => (await request(url)).text, "hello"],
  ];

  for (const [what, fn, options, env, ask, expected] of settings) {
    test(`takes its settings from options and environment: ${what}`, async (t) => {
      const script = await start(t, fn, options, env);

      assert.deepEqual(await ask(script), expected);
    });
  }

  test("logExecutionId", async (t) => {
    const script = await start(
      t,
      `(req, res) => { console.log("told"); res.send("x"); }`,
      "{ logExecutionId: true }",
    );

    await request(script.url, { headers: { "Function-Execution-Id": "my-id" } });

    await script.says('"execution_id":"my-id"');
  });

  const rejections: [what: string, call: string, code: string, says: string][] = [
    ["a port that is none", `serve(${hello}, { port: 70000 })`, "FF_OPTION_INVALID", "--port"],
    ["a text as port", `serve(${hello}, { port: "http" })`, "FF_OPTION_INVALID", '"http"'],
    ["a negative timeout", `serve(${hello}, { timeout: -1 })`, "FF_OPTION_INVALID", "--timeout"],
    [
      "a signature that is none",
      `serve(${hello}, { signatureType: "https" })`,
      "FF_OPTION_INVALID",
      "one of http",
    ],
    ["routes that are none", `serve(${hello}, { ignoredRoutes: ["/a", "/(b"] })`, "FF_OPTION_INVALID", "/(b"],
    [
      "an option that is not known",
      `serve(${hello}, { maxConcurency: 1 })`,
      "FF_OPTION_UNKNOWN",
      "maxConcurrency",
    ],
    [
      "workers",
      `serve(${hello}, { workers: 2 })`,
      "FF_WORKERS_PROGRAMMATIC",
      "functions-framework --workers",
    ],
    ["an option of the command alone", `serve(${hello}, { source: "x" })`, "FF_OPTION_UNKNOWN", "source"],
    [
      "a name that nobody registered",
      `functions.http("hello", ${hello}), serve("helo")`,
      "FF_TARGET_NOT_FOUND",
      'Did you mean "hello"?',
    ],
    ["all of none", `serve("*")`, "FF_TARGET_NOT_FOUND", "no function at all"],
    ["an empty list", "serve([])", "FF_TARGET_NOT_FOUND", "no function at all"],
    ["nothing", "serve()", "FF_TARGET_NOT_FOUND", "undefined"],
    [
      "a context that is none",
      `serve(${hello}, { context: { runtime: "Sometimes" } })`,
      "FF_CONTEXT_INVALID",
      "runtime",
    ],
    [
      "a start that fails",
      `functions.onStart(() => { throw new Error("no database"); }), serve(${hello})`,
      "FF_START_FAILED",
      "no database",
    ],
  ];

  for (const [what, call, code, says] of rejections) {
    test(`rejects, and the process lives: ${what}`, async (t) => {
      const {
        stdout,
        stderr,
        code: exit,
      } = await runScript(
        t,
        `${load} (${call}).catch((err) => console.log(err.code, err.message, err.hint));
         process.on("exit", () => console.log("goes its way"));`,
      );

      assert.ok(stdout.startsWith(code) && stdout.includes(says), stdout + stderr);
      assert.match(stdout, /\ngoes its way\n$/);
      assert.equal(exit, 0);
    });
  }

  test("rejects when the port is taken, and undoes what it began", async (t) => {
    const other = createServer().listen(0);
    t.after(() => other.close());
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;

    const { stdout, code } = await runScript(
      t,
      `${load} functions.onStop(() => console.log("stopped"));
       serve(${hello}, { port: ${port} }).catch((err) => console.log(err.code));`,
    );

    assert.equal(stdout, "stopped\nFF_PORT_IN_USE\n");
    assert.equal(code, 0);
  });

  const controlled = `${load}
    const slow = async (req, res) => {
      console.log("working");
      await new Promise((resolve) => process.stdin.on("data", (line) => String(line).includes("finish") && resolve()));
      res.send("done");
    };
    const onLine = (word, work) => process.stdin.on("data", (line) => String(line).includes(word) && work());`;

  test("close() finishes what is in flight, runs onStop, and leaves the process alive", async (t) => {
    const script = await startScript(
      t,
      `${controlled}
       functions.onStop(() => console.log("stopped"));
       serve(slow, { gracePeriod: 600 }).then((server) => {
         onLine("close", async () => {
           console.log("closing");
           await Promise.all([server.close(), server.close()]);
           await server.close();
           console.log("closed");
         });
         onLine("alive", () => { console.log("alive"); process.stdin.destroy(); });
       });`,
    );
    const pending = request(script.url);
    await script.says("working\n");

    script.tell("close");
    await refusal(script.port);
    script.tell("finish");
    const reply = await pending;
    await script.says("stopped\nclosed\n");
    script.tell("alive");
    const { code, stdout } = await script.ended();

    assert.deepEqual([reply.text, reply.headers.connection], ["done", "close"]);
    assert.match(stdout, /\nclosing\nstopped\nclosed\nalive\n$/);
    assert.equal(code, 0);
  });

  test("a server that is closed can be started again, on its port", async (t) => {
    const { stdout, stderr } = await runScript(
      t,
      `${load} (async () => {
        const ask = async ({ url }) => (await fetch(url, { headers: { connection: "close" } })).text();
        const first = await serve(() => "first");
        console.log(await ask(first));
        await first.close();
        const second = await serve(() => "second", { port: first.port });
        console.log(await ask(second), first.port === second.port);
        await second.close();
      })();`,
      { env: { NODE_ENV: "production" } },
    );

    assert.equal(stdout, "first\nsecond true\n", stderr);
  });

  test("two servers in one process are each their own", async (t) => {
    const { stdout, stderr, code } = await runScript(
      t,
      `${load} (async () => {
        const ask = async ({ url }, path = "") => {
          const reply = await fetch(url + path, { headers: { connection: "close" } });
          return [reply.status, await reply.text()];
        };
        const one = await serve(async function one(req) { if (req.path === "/fails") setTimeout(() => { throw new Error("one failed"); }); else return "one"; return new Promise(() => {}); }, { metrics: true });
        const two = await serve(function two() { return "two"; }, { metrics: true, ignoredRoutes: ["/none"] });
        console.log(await ask(one), await ask(two), await ask(one, "fails"), await ask(two, "none"));
        await one.close();
        console.log(await ask(two), await ask(one).catch(() => "closed"));
        await two.close();
        console.log("alive");
      })();`,
      { env: { NODE_ENV: "development", FF_LOG_FORMAT: "json" } },
    );

    const told = stdout.split("\n").filter((line) => !/^(?:Serving|Function|Signature|URL)/.test(line));
    assert.deepEqual(told, [
      "[ 200, 'one' ] [ 200, 'two' ] [ 500, 'one failed' ] [ 404, '' ]",
      "[ 200, 'two' ] closed",
      "alive",
      "",
    ]);
    assert.equal(stderr.match(/one failed/g)?.length, 2, stderr); // message and stack
    assert.equal(code, 0);
  });

  test("what a closed server was made of is let go, however often a process serves", async (t) => {
    const { stdout } = await runScript(
      t,
      `${load}
      const made = [];
      (async () => {
        for (let round = 0; round < 10; round++) {
          const fn = () => "hello";
          made.push(new WeakRef(fn));
          const server = await serve(fn, { port: 0, metrics: true, maxConcurrency: 1 });
          await server.close();
        }
        const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
        do {
          await turn(); // what was looked at is held until the next one
          gc();
          await turn();
        } while (made.filter((one) => one.deref()).length > 2); // the last one may still be on the stack
        console.log("let go");
      })();`,
      { env: { NODE_OPTIONS: "--expose-gc", NODE_ENV: "production" } },
    );

    assert.equal(stdout, "let go\n");
  });

  test("a signal finishes what is in flight in every server, and ends the process with 0", async (t) => {
    const script = await startScript(
      t,
      `${controlled}
       functions.onStop(() => console.log("stopped"));
       serve(slow, { gracePeriod: 600 }).then(async () => {
         const other = await serve(slow, { gracePeriod: 600 });
         console.log("other port " + other.port);
       });
       setInterval(() => {}, 60_000);`,
    );
    await script.says("other port");
    await script.says(`URL: http://localhost:`);
    const other = Number(/other port (\d+)/.exec(script.stdout)?.[1]);
    const pending = [request(script.url), request(`http://127.0.0.1:${other}`)];
    await script.says("working\nworking\n");

    script.kill("SIGTERM");
    await Promise.all([refusal(script.port), refusal(other)]);
    script.tell("finish");
    const replies = await Promise.all(pending);
    const { code } = await script.ended();

    for (const reply of replies) assert.deepEqual([reply.status, reply.text], [200, "done"]);
    assert.equal(code, 0);
  });

  test("an error that belongs to nobody ends the process with 16, after what is in flight", async (t) => {
    const script = await startScript(
      t,
      `${controlled} serve(slow); onLine("crash", () => { throw new Error("background work failed"); });`,
    );
    const pending = request(script.url);
    await script.says("working\n");

    script.tell("crash");
    await refusal(script.port);
    script.tell("finish");

    assert.equal((await pending).text, "done");
    assert.equal((await script.ended()).code, 16);
  });
});
