/** `--health`: probes for every signature, answered before the function. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";

import type { Framework } from "./support/framework";
import { converse, refusal, request } from "./support/http";
import { asyncContext, type ModuleOptions, startModule } from "./support/modules";

const functions = `
  const functions = require("@openfunction/functions-framework");
  exports.serve = (req, res) => res.send("called");
  exports.handle = () => "called";
  functions.typed("typed", () => "called");
  functions.cloudEvent("event", () => "called");`;

const liveness = "/health/liveness";
const readiness = "/health/readiness";

function start(t: TestContext, checks = "", options: ModuleOptions & { target?: string } = {}) {
  const { target = "serve", ...more } = options;
  return startModule(t, functions + checks, [`--target=${target}`, "--health"], more);
}

const ok = [200, "OK"];
const notAlive = [503, "not alive"];
const notReady = [503, "not ready"];
const called = [200, "called"];

async function answerOf({ url }: Framework, path: string, method = "GET") {
  const { status, text } = await request(url + path, { method });
  return [status, text];
}

describe("health", { concurrency: 3 }, () => {
  for (const [target, options] of [
    ["serve", {}],
    ["typed", {}],
    ["event", {}],
    ["handle", { env: { FUNCTION_SIGNATURE_TYPE: "openfunction" } }],
    ["handle", { env: asyncContext() }],
  ] as [string, ModuleOptions][]) {
    test(`both probes are served for every signature and runtime: ${target}`, async (t) => {
      const framework = await start(t, "", { target, ...options });

      for (const path of [liveness, readiness, `${liveness}?probe=1`]) {
        const reply = await request(framework.url + path);
        assert.deepEqual([reply.status, reply.text], ok);
        assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
      }
      assert.deepEqual(await answerOf(framework, readiness, "HEAD"), [200, ""]);
    });
  }

  test("other methods are 405, other paths are the function's", async (t) => {
    const framework = await start(t);

    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await request(framework.url + liveness, { method });
      assert.deepEqual([method, status, headers.allow], [method, 405, "GET, HEAD"]);
    }
    for (const path of ["/health", "/health/", `${liveness}/x`, "/x/health/liveness", "/healthz"])
      assert.deepEqual([path, ...(await answerOf(framework, path))], [path, ...called]);
  });

  test("without the flag the paths are the function's, whatever the environment says", async (t) => {
    const framework = await startModule(t, functions, ["--target=serve"], {
      env: { K_SERVICE: "hello", LIVENESS_URL: "/live", FF_HEALTH: "false" },
    });

    for (const path of [liveness, readiness, "/live"])
      assert.deepEqual(await answerOf(framework, path), called);
  });

  test("the variables change the paths, and win over the checks' own", async (t) => {
    const framework = await start(t, `exports.liveness = Object.assign(() => {}, { path: "/own" });`, {
      env: { LIVENESS_URL: "/live", READINESS_URL: "/ready", FF_HEALTH: "true" },
    });

    assert.deepEqual(await answerOf(framework, "/live"), ok);
    assert.deepEqual(await answerOf(framework, "/ready"), ok);
    for (const path of [liveness, readiness, "/own"])
      assert.deepEqual(await answerOf(framework, path), called);
  });

  test("a check says its path itself", async (t) => {
    const framework = await start(
      t,
      `exports.liveness = () => true;
       exports.liveness.path = "/live";
       exports.readiness = async () => "fine";
       exports.readiness.path = "/ready";`,
    );

    assert.deepEqual(await answerOf(framework, "/live"), ok);
    assert.deepEqual(await answerOf(framework, "/ready"), ok);
    assert.deepEqual(await answerOf(framework, liveness), called);
  });

  test("a path without its slash gets one", async (t) => {
    const framework = await start(
      t,
      `exports.liveness = Object.assign(() => true, { path: "live" });
       exports.readiness = Object.assign(() => true, { path: "own" });`,
      { env: { READINESS_URL: "ready/now" } },
    );

    assert.deepEqual(await answerOf(framework, "/live"), ok);
    assert.deepEqual(await answerOf(framework, "/ready/now"), ok);
    assert.deepEqual(await answerOf(framework, "/own"), called);
  });

  const checks: [check: string, isGood: boolean][] = [
    ["() => undefined", true],
    ["() => true", true],
    ["() => 0", true],
    ["() => null", true],
    ["() => ({ statusCode: 200 })", true],
    ["() => ({ statusCode: 399 })", true],
    ["async () => 'OK'", true],
    ["() => false", false],
    ["async () => false", false],
    ["() => ({ statusCode: 400 })", false],
    ["async () => ({ statusCode: 503 })", false],
    ["() => { throw new Error('no luck'); }", false],
    ["() => { throw null; }", false],
    ["async () => { throw new Error('no luck'); }", false],
    ["() => Promise.reject()", false],
  ];

  test("a check fails when it throws, rejects, says false or a status of 400 and above", async (t) => {
    const framework = await start(
      t,
      `const checks = [${checks.map(([check]) => check).join(", ")}];
       let turn = 0;
       exports.liveness = () => checks[turn++ % checks.length]();
       exports.readiness = () => checks[turn++ % checks.length]();`,
    );

    for (const [path, failure] of [
      [liveness, notAlive],
      [readiness, notReady],
    ] as const) {
      for (const [check, isGood] of checks)
        assert.deepEqual([check, ...(await answerOf(framework, path))], [check, ...(isGood ? ok : failure)]);
    }
    assert.deepEqual(await answerOf(framework, "/"), called);
  });

  test("a change of a check is told once, not every probe", async (t) => {
    const framework = await start(t, `exports.readiness = () => { throw new Error("no database"); };`);

    for (let count = 0; count < 5; count++) await request(framework.url + readiness);
    await framework.says("no database");

    const lines = framework.logs().filter(({ message }) => message.includes("no database"));
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.level, "warn");
  });

  test("a check without a result is 503 after its deadline, and holds up nothing", async (t) => {
    const framework = await start(t, `exports.readiness = () => new Promise(() => {});`);

    const pending = answerOf(framework, readiness);
    assert.deepEqual(await answerOf(framework, liveness), ok);
    assert.deepEqual(await answerOf(framework, "/"), called);

    assert.deepEqual(await pending, notReady);
  });

  test("checks of ES modules and of a default export are found", async (t) => {
    for (const source of [
      `export const serve = (req, res) => res.send("called"); export const readiness = () => false;`,
      `export default { serve: (req, res) => res.send("called"), readiness: () => false };`,
    ]) {
      const target = source.includes("default") ? "default.serve" : "serve";
      const framework = await startModule(t, source, [`--target=${target}`, "--health"], {
        file: "index.mjs",
      });

      assert.deepEqual(await answerOf(framework, readiness), notReady);
      assert.deepEqual(await answerOf(framework, liveness), ok);
      assert.deepEqual(await answerOf(framework, "/"), called);
    }
  });

  test("no body is read for a probe", async (t) => {
    const framework = await start(t);

    const text = await converse(
      framework.port,
      `GET ${liveness} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{broken`,
    );

    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(text.endsWith("\r\n\r\nOK"));
  });

  test("from the signal on the process is not ready but alive, on connections that are open", async (t) => {
    const framework = await start(t, `exports.readiness = () => true;`);
    // A head that is not complete keeps its connection: the answer to the request before shows that it has come.
    const openProbe = async (path: string) => {
      const socket = connect(framework.port, "127.0.0.1").setEncoding("utf8");
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\n\r\nGET ${path} HTTP/1.1\r\nHost: x\r\n`);
      await once(socket, "data");
      return async () => {
        socket.write("\r\n");
        const [text] = await once(socket, "data");
        return text as string;
      };
    };
    const [alive, ready] = await Promise.all([openProbe(liveness), openProbe(readiness)]);

    framework.kill("SIGTERM");
    await refusal(framework.port);

    const good = await alive();
    assert.match(good, /^HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n.*\r\nOK$/s);
    assert.match(await ready(), /^HTTP\/1\.1 503 .*\r\nConnection: close\r\n.*\r\nnot ready$/s);
    const { code, stderr } = await framework.ended();
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /answers 503/);
  });
});
