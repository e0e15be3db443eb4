/** What clients are told of a problem, in their form; and what the log says of it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { type Framework, startFramework } from "./support/framework";
import { postJson, request } from "./support/http";
import { startModule } from "./support/modules";
import { createProject, linkPackage, type Project } from "./support/projects";

const module = `
  const functions = require("@openfunction/functions-framework");
  exports.serve = (req, res) => {
    if (req.path === "/throws") throw new Error('no "luck" <b>');
    if (req.path === "/never") return;
    res.send("served");
  };
  functions.cloudEvent("event", () => { throw new Error("no luck"); });
  functions.typed("typed", () => { throw new Error("no luck"); });
  functions.openfunction("handle", () => { throw new Error("no luck"); });
  exports.exits = async (req, res) => {
    console.log("working on " + req.path);
    if (req.path === "/half") res.write("half");
    if (req.path === "/exit") setImmediate(() => process.exit(Number(req.query.code)));
    await new Promise(() => {});
  };
  exports.silent = async (req, res) => {
    if (req.path === "/piped") return void require("node:stream").Readable.from((async function* () { await new Promise(() => {}); })()).pipe(res);
    if (req.path === "/begun") res.write("begun");
    console.log("returns");
  };`;

let project: Project;
before(async () => {
  project = await createProject({ "index.js": module });
  await linkPackage(project.folder);
});
after(() => project.remove());

const start = (target: string, args: string[] = [], env: Record<string, string> = {}) =>
  startFramework([`--target=${target}`, ...args], { project: project.folder, env });

const json = { Accept: "application/json" };
const attributes = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };

describe("the form of a problem", () => {
  let framework: Framework;
  before(async () => {
    framework = await start("serve", ["--body-limit=20"]);
  });
  after(() => framework.stop());

  for (const [accept, isJson] of [
    ["application/json", true],
    ["Application/JSON; q=0.9", true],
    ["application/json, application/problem+json", true],
    ["application/vnd.own+json", true],
    [undefined, false],
    ["", false],
    ["*/*", false],
    ["application/*", false],
    ["text/html, application/json", false],
    ["application/json, */*;q=0.1", false],
    ["application/jsonp", false],
    ["text/plain", false],
  ] as const) {
    test(`${isJson ? "JSON" : "text"} for Accept: ${accept}`, async () => {
      const headers = {
        "Function-Execution-Id": "my-id",
        ...(accept === undefined ? {} : { Accept: accept }),
      };
      const { status, text, headers: told } = await request(`${framework.url}/throws`, { headers });

      assert.equal(status, 500);
      assert.equal(told["x-content-type-options"], "nosniff");
      assert.equal(told["x-google-status"], "crash");
      assert.equal(told["content-type"], isJson ? "application/json" : "text/plain; charset=utf-8");
      assert.equal(text, isJson ? '{"error":"no \\"luck\\" <b>","id":"my-id"}' : 'no "luck" <b>');
    });
  }

  test("what is refused before the function carries its code", async () => {
    const type = { "Content-Type": "application/json" };
    const post = (body: string, headers = {}) =>
      request(framework.url, { method: "POST", headers: { ...json, ...type, ...headers }, body });
    const replies = await Promise.all([
      request(`${framework.url}/%`, { headers: json }),
      post("{broken"),
      post(JSON.stringify({ a: "longer than the limit" })),
      post("{}", { "Content-Encoding": "none-such" }),
    ]);

    assert.deepEqual(
      replies.map((reply) => [reply.status, reply.json().code, Object.keys(reply.json())]),
      [
        [400, "FF_PATH_MALFORMED", ["error", "code"]],
        [400, "FF_BODY_MALFORMED", ["error", "code"]],
        [413, "FF_BODY_TOO_LARGE", ["error", "code"]],
        [415, "FF_BODY_UNSUPPORTED", ["error", "code"]],
      ],
    );
    for (const { headers } of replies) {
      assert.equal(headers["x-google-status"], undefined);
      assert.equal(headers["x-content-type-options"], "nosniff");
    }
  });

  for (const path of ["/%", "/%zz", "/a%", "/a/%C3%28", "/%e0%a4%a", "//%ff", "/%?x=1"]) {
    test(`a path that cannot be decoded is 400: ${path}`, async () => {
      const { status, text, headers } = await request(framework.url + path, { headers: { Host: "x" } });

      assert.equal(status, 400);
      assert.equal(text, `The path "${path.split("?")[0]}" is not valid percent-encoding.`);
      assert.equal(headers["content-type"], "text/plain; charset=utf-8");
    });
  }

  for (const path of ["/?x=%", "/?%zz", "/%20?%", "/%C3%BC", "/%2e%2e/%00"]) {
    test(`a path that can be decoded is served: ${path}`, async () => {
      assert.equal((await request(framework.url + path)).text, "served");
    });
  }
});

for (const [target, word] of [
  ["event", "error"],
  ["typed", "crash"],
  ["handle", "error"],
] as const) {
  test(`other signatures say it in the same form: ${target}`, async (t) => {
    const framework = await start(target);
    t.after(() => framework.stop());

    const failed = await postJson(
      framework.url,
      {},
      { ...attributes, ...json, "Function-Execution-Id": "my-id" },
    );
    const refused = await request(framework.url, { headers: json });
    const malformed = await request(`${framework.url}/%`, { method: "POST", headers: json });

    assert.deepEqual([failed.status, failed.json()], [500, { error: "no luck", id: "my-id" }]);
    assert.equal(failed.headers["x-openfunction-status"], word);
    assert.deepEqual([refused.status, refused.json().code], [405, "FF_METHOD_NOT_ALLOWED"]);
    assert.deepEqual([malformed.status, malformed.json().code], [400, "FF_PATH_MALFORMED"]);
  });
}

describe("in production", () => {
  for (const [target, accept] of [
    ["serve", "*/*"],
    ["serve", "application/json"],
    ["event", "*/*"],
    ["typed", "application/json"],
    ["handle", "*/*"],
  ] as const) {
    test(`a failure is an id that the log has too: ${target}, ${accept}`, async (t) => {
      const framework = await start(target, [], { NODE_ENV: "production" });
      t.after(() => framework.stop());

      const path = target === "serve" ? "/throws" : "/";
      const reply = await postJson(framework.url + path, {}, { ...attributes, Accept: accept });
      await framework.says('"stack"');

      assert.equal(reply.status, 500);
      assert.doesNotMatch(reply.text, /luck/);
      const id = /^Internal Server Error \(id ([a-z0-9]{12})\)$/.exec(
        accept === "*/*" ? reply.text : reply.json().error,
      )?.[1];
      if (accept !== "*/*") assert.equal(reply.json().id, id);
      const [line] = framework.logs() as unknown as Record<string, string>[];
      assert.equal(line?.invocation, id);
      assert.match(line?.message ?? "", /luck/);
    });
  }
});

test("a deadline that is over is told in the form of the client", async (t) => {
  const framework = await start("serve", ["--timeout=1"]);
  t.after(() => framework.stop());

  const reply = await request(`${framework.url}/never`, { headers: json });

  assert.deepEqual([reply.status, reply.json().code], [504, "FF_FUNCTION_TIMEOUT"]);
});

for (const code of [0, 3, 255]) {
  test(`process.exit(${code}) in a function ends with ${code}, and every open request is told`, async (t) => {
    const framework = await start("exits");
    t.after(() => framework.stop());
    const pending = ["/a", "/b"].map((path) => request(framework.url + path));
    const asJson = request(`${framework.url}/c`, { headers: json });
    const half = request(`${framework.url}/half`).catch((err: Error) => err.message);
    await Promise.all(["/a", "/b", "/c", "/half"].map((path) => framework.says(`working on ${path}\n`)));

    const exiting = await request(`${framework.url}/exit?code=${code}`);
    const replies = await Promise.all(pending);
    const ending = await framework.ended();

    assert.equal(ending.code, code);
    for (const { status, text, headers } of [exiting, ...replies]) {
      assert.deepEqual([status, text], [500, `The process ends with code ${code}.`]);
      assert.equal(headers["x-google-status"], "crash");
      assert.equal(headers["x-openfunction-status"], "crash");
    }
    assert.deepEqual((await asJson).json(), { error: `The process ends with code ${code}.` });
    assert.match(String(await half), /aborted|hang up|ECONNRESET/);
  });
}

describe("a function that returns and does not answer", { concurrency: true }, () => {
  const left = async (framework: Framework, path = "/") => {
    const controller = new AbortController();
    const pending = fetch(framework.url + path, { signal: controller.signal }).catch(() => undefined);
    await framework.says("returns\n");
    return () => {
      controller.abort();
      return pending;
    };
  };
  const warning = "The function has returned, but";

  test("is told once in development, with what was asked", async (t) => {
    const framework = await start("silent");
    t.after(() => framework.stop());

    const leave = await left(framework, "/where?x=1");
    await framework.says(warning);
    await leave();

    const lines = framework.logs() as unknown as Record<string, string>[];
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.level, "warn");
    assert.match(lines[0]?.message ?? "", /GET \/where\?x=1 is not answered/);
    assert.equal(lines[0]?.function, "silent");
  });

  test("is told when a hook is around it too", async (t) => {
    const framework = await startModule(
      t,
      `require("@openfunction/functions-framework").use((invocation, next) => next());\n${module}`,
      ["--target=silent"],
    );

    const leave = await left(framework);
    await framework.says(warning);
    await leave();

    assert.equal(framework.logs().length, 1);
  });

  test("is not told in production, nor of an answer that has begun", async (t) => {
    const production = await start("silent", [], { NODE_ENV: "production" });
    const reference = await start("silent");
    t.after(() => Promise.all([production.stop(), reference.stop()]));

    const leaveProduction = await left(production);
    const leaveBegun = await left(reference, "/begun");
    const piped = new AbortController();
    const pending = fetch(`${reference.url}/piped`, { signal: piped.signal }).catch(() => undefined);
    const leaveReference = await left(reference, "/last"); // its warning comes after the time of the others'
    await reference.says("/last is not answered");
    piped.abort();
    await Promise.all([leaveProduction(), leaveBegun(), leaveReference(), pending]);

    assert.doesNotMatch(production.stderr, new RegExp(warning));
    assert.doesNotMatch(reference.stderr, /\/begun|\/piped/);
  });
});
