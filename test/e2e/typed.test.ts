/** Typed functions: the body of a POST in, the returned value out. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { type Framework, runFramework, startFramework } from "./support/framework";
import { postJson, type Reply, request } from "./support/http";
import { makeUserProject, startModule } from "./support/modules";
import { createProject, installCopy, linkPackage, type Project } from "./support/projects";

const module = `
  const functions = require("@openfunction/functions-framework");
  const { setImmediate: turn } = require("node:timers/promises");
  const told = (fn) => (request) => { console.log("called with " + JSON.stringify(request)); return fn(request); };
  const upper = (text) => text.toUpperCase();

  functions.typed("echo", told((request) => ({ payload: request })));
  functions.typed("value", (name) => ({
    nothing: undefined, null: null, text: "text", number: 5, zero: 0, false: false, list: [1],
    date: new Date(0), bigint: 10n, symbol: Symbol("x"), function: () => 1,
  })[name]);
  functions.typed("later", async ({ a }) => { await turn(); return a + 1; });
  functions.typed("fails", (how) => {
    if (how === "throws") throw new Error("no luck");
    if (how === "null") throw null;
    if (how === "rejects") return Promise.reject(new Error("rejected"));
    return new Promise(() => setTimeout(() => { throw new Error("in a timer"); }, 1));
  });
  functions.typed("sync", {
    handler: told(upper),
    format: {
      deserializeRequest(request) {
        if (request.header("X-Bad")) throw new Error("cannot read it");
        return request.body() + "/" + request.header("x-own");
      },
      serializeResponse(writer, text) {
        if (text.startsWith("UNWRITABLE")) throw new Error("cannot write it");
        writer.setHeader("Content-Type", "text/x-shout");
        writer.write(text);
        writer.end(Buffer.from("!"));
      },
    },
  });
  functions.typed("async", {
    handler: told(async (text) => upper(text)),
    format: {
      async deserializeRequest(request) {
        await turn();
        if (request.body() === undefined) throw new Error("there is nothing to read");
        return request.body();
      },
      async serializeResponse(writer, text) {
        await turn();
        if (text === "UNWRITABLE") throw new Error("cannot write it");
        if (text === "HALF") { writer.write("ha"); await turn(); throw new Error("in the middle"); }
        writer.end(text);
      },
    },
  });
  functions.typed("quiet", {
    handler: () => undefined,
    format: { deserializeRequest: (request) => request.body(), serializeResponse: (writer) => writer.end("never") },
  });
  const shared = (value) => value;
  functions.typed("shared-text", { handler: shared, format: { deserializeRequest: (request) => request.body(), serializeResponse: (writer, value) => writer.end(value) } });
  functions.typed("shared-json", shared);
  functions.typed("handler-alone", { handler: (value) => [value] });
  exports.exported = (request) => ({ got: request });`;

let project: Project;
before(async () => {
  project = await createProject({ "index.js": module });
  await linkPackage(project.folder);
});
after(() => project.remove());

function start(target: string, args: string[] = []): Promise<Framework> {
  return startFramework([`--target=${target}`, ...args], { project: project.folder });
}

const post = (framework: Framework, body?: string | Buffer, headers: Record<string, string> = {}) =>
  request(framework.url, { method: "POST", body, headers });

describe("a typed function of JSON", () => {
  let echo: Framework;
  before(async () => {
    echo = await start("echo");
  });
  after(() => echo.stop());

  for (const [body, value, type = "application/json"] of [
    ['{"message":"hello"}', { message: "hello" }],
    ["[1,null]", [1, null]],
    ["5", 5],
    ['"text"', "text"],
    ["null", null],
    ["false", false],
    [' {"a": 1} ', { a: 1 }],
    ['{"a":"ü"}', { a: "ü" }, "application/json; charset=utf-8"],
    ['{"a":1}', { a: 1 }, "application/vnd.own+json"],
    ['{"a":1}', { a: 1 }, "text/plain"],
    ['{"a":1}', { a: 1 }, ""],
  ] as [string, unknown, string?][]) {
    test(`reads ${body} of type ${type || "none"}`, async () => {
      const reply = await post(echo, body, type ? { "Content-Type": type } : {});

      assert.equal(reply.status, 200);
      assert.match(reply.headers["content-type"] ?? "", /^application\/json/);
      assert.deepEqual(reply.json(), { payload: value });
    });
  }

  for (const body of ["", "{broken", "{'a':1}", "undefined", "{} {}", "\u0000"]) {
    test(`answers 400 without the function: ${JSON.stringify(body)}`, async () => {
      const reply = await post(echo, body, {
        "Content-Type": "application/json",
        "Function-Execution-Id": "bad",
      });

      assertRefused(reply);
      assert.match(reply.text, /^The request body cannot be read: /);
    });
  }

  test("answers 400 to a POST without a body, and 415 to a charset that is none of JSON's", async () => {
    assertRefused(await request(echo.url, { method: "POST" }));
    const latin = await post(echo, '{"a":1}', { "Content-Type": "application/json; charset=iso-8859-1" });

    assert.equal(latin.status, 415);
  });

  for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    test(`answers 405 to ${method}`, async () => {
      const { status, headers } = await request(echo.url, { method });

      assert.deepEqual([status, headers.allow], [405, "POST"]);
      assert.equal(headers["x-google-status"], undefined);
    });
  }

  test("has every path", async () => {
    assert.deepEqual((await postJson(`${echo.url}/any/path?q=1`, 1)).json(), { payload: 1 });
  });
});

test("what it returns is JSON, undefined is 204, what has no JSON form is 500", async (t) => {
  const framework = await start("value");
  t.after(() => framework.stop());
  const replyTo = async (name: string) => {
    const { status, text, headers } = await postJson(framework.url, name);
    return [status, status === 500 ? headers["x-google-status"] : text];
  };

  const told: unknown[] = [];
  for (const name of ["nothing", "null", "text", "number", "zero", "false", "list", "date"])
    told.push(await replyTo(name));
  assert.deepEqual(told, [
    [204, ""],
    [200, "null"],
    [200, '"text"'],
    [200, "5"],
    [200, "0"],
    [200, "false"],
    [200, "[1]"],
    [200, '"1970-01-01T00:00:00.000Z"'],
  ]);
  for (const name of ["bigint", "symbol", "function"]) assert.deepEqual(await replyTo(name), [500, "crash"]);
});

test("a promise is awaited", async (t) => {
  const framework = await start("later");
  t.after(() => framework.stop());

  assert.equal((await postJson(framework.url, { a: 1 })).json(), 2);
});

test("a failure is 500 crash, and the process lives", async (t) => {
  const framework = await start("fails");
  t.after(() => framework.stop());

  for (const [how, text] of [
    ["throws", "no luck"],
    ["null", "null"],
    ["rejects", "rejected"],
    ["timer", "in a timer"],
  ]) {
    const reply = await postJson(framework.url, how);
    assertCrashed(reply, text as string);
  }
});

describe("a format of its own", () => {
  test("reads and writes what the function gets and gives", async (t) => {
    const framework = await start("sync");
    t.after(() => framework.stop());

    const reply = await post(framework, "hello", { "X-Own": "mine" });
    const bad = await post(framework, "hello", { "X-Bad": "1" });
    const unwritable = await post(framework, "unwritable");

    assert.deepEqual([reply.status, reply.text], [200, "HELLO/MINE!"]);
    assert.equal(reply.headers["content-type"], "text/x-shout");
    assertRefused(bad);
    assert.match(bad.text, /cannot read it/);
    assertCrashed(unwritable, "cannot write it");
    assert.equal((await request(framework.url)).status, 405);
    await framework.says('called with "unwritable/undefined"\n');
    assert.equal(framework.stdout.match(/called/g)?.length, 2);
  });

  test("may be asynchronous", async (t) => {
    const framework = await start("async");
    t.after(() => framework.stop());

    assert.equal((await post(framework, "hello")).text, "HELLO");
    const empty = await request(framework.url, { method: "POST" });
    assertRefused(empty);
    assert.match(empty.text, /there is nothing to read/);
    assertCrashed(await post(framework, "unwritable"), "cannot write it");
    await assert.rejects(post(framework, "half"), /aborted|hang up|ECONNRESET/);
    assert.equal((await post(framework, "again")).text, "AGAIN");
  });

  test("is not asked to write undefined", async (t) => {
    const framework = await start("quiet");
    t.after(() => framework.stop());

    const reply = await post(framework, "x");

    assert.deepEqual([reply.status, reply.text], [204, ""]);
  });

  test("belongs to the registration, not to the function", async (t) => {
    for (const [target, text] of [
      ["shared-text", '{"a":1}'],
      ["shared-json", '{"a":1}'],
    ] as const) {
      const framework = await start(target);
      t.after(() => framework.stop());
      const reply = await postJson(framework.url, { a: 1 });

      assert.deepEqual([target, reply.text], [target, text]);
      assert.equal(
        reply.headers["content-type"]?.startsWith("application/json") ?? false,
        target === "shared-json",
      );
    }
  });

  test("is JSON when a handler is alone", async (t) => {
    const framework = await start("handler-alone");
    t.after(() => framework.stop());

    assert.deepEqual((await postJson(framework.url, 1)).json(), [1]);
  });

  test("counts when another copy of the package has registered it", async (t) => {
    const folder = await makeUserProject(t, { "lib/index.js": module });
    await installCopy(join(folder, "lib"));
    const framework = await startFramework(["--target=sync", "--source=lib"], { project: folder });
    t.after(() => framework.stop());

    assert.equal((await post(framework, "a", { "X-Own": "b" })).text, "A/B!");
  });

  for (const [format, type] of [
    ["{}", "object"],
    ["{ deserializeRequest: (request) => request.body() }", "half of one"],
    ["5", "number"],
    ["null", "null"],
  ]) {
    test(`must have both functions: ${type}`, async (t) => {
      const source = `
        const functions = require("@openfunction/functions-framework");
        functions.typed("typed", { handler: () => 1, format: ${format} });`;
      const project = await makeUserProject(t, { "index.js": source });

      const { code, stderr } = await runFramework(["--target=typed"], { project });

      assert.equal(code, 1);
      assert.match(stderr, /FF_FUNCTION_OPTIONS/);
      assert.match(stderr, /deserializeRequest and serializeResponse.*index\.js:3:/);
    });
  }
});

test("an export is typed with --signature-type=typed, and the banner says so", async (t) => {
  const framework = await startModule(t, module, ["--target=exported"], {
    env: { FUNCTION_SIGNATURE_TYPE: "typed" },
  });

  assert.match(framework.stdout, /^Signature type: typed$/m);
  assert.deepEqual((await postJson(framework.url, [1])).json(), { got: [1] });
});

function assertRefused({ status, headers }: Reply): void {
  assert.equal(status, 400);
  assert.equal(headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(headers["x-google-status"], undefined);
}

function assertCrashed({ status, headers, text }: Reply, message: string): void {
  assert.deepEqual([status, text], [500, message]);
  assert.equal(headers["x-google-status"], "crash");
  assert.equal(headers["x-openfunction-status"], "crash");
}
