/** `--log-execution-id`: what a function writes becomes JSON lines with the id of its invocation. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { type Framework, startFramework } from "./support/framework";
import { postJson, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";
import { createProject, linkPackage, type Project } from "./support/projects";

const labels = "logging.googleapis.com/labels";
const spanId = "logging.googleapis.com/spanId";
const traceName = "logging.googleapis.com/trace";
const of = (execution_id: string) => ({ [labels]: { execution_id } });

/** What is run in the function for a case, by its path; the end is told by the answer. */
const cases: Record<string, string> = {
  text: `console.log("text")`,
  "console-format": `console.log("%s is %d", "a", 1)`,
  "without-newline": `process.stdout.write("no newline")`,
  "several-lines": `console.log("first\\nsecond")`,
  empty: `console.log("")`,
  error: `console.error("on stderr")`,
  number: `console.log(123)`,
  null: `console.log(null)`,
  "json-number": `console.log("123")`,
  "json-null": `console.log("null")`,
  "json-true": `process.stdout.write("true\\n")`,
  "json-text": `console.log('"quoted"')`,
  "json-list": `console.log('[1,{"a":2}]')`,
  "broken-json": `console.log('{"a":1')`,
  "two-objects": `console.log('{"a":1}\\n{"b":2}')`,
  object: `console.log('{"message":"m","a":{"b":[1]}}')`,
  "object-on-stderr": `console.error('{"message":"m"}')`,
  "own-severity": `console.error('{"message":"m","severity":"INFO"}')`,
  "own-labels": `console.log('{"${labels}":{"mine":"1","execution_id":"fake"}}')`,
  "own-span": `console.log('{"${spanId}":"mine"}')`,
  "odd-labels": `console.log('{"${labels}":null,"a":1}')`,
  coloured: `console.log('\\u001b[31m\\u001b[1m{"a":1}')`,
  "coloured-text": `console.log('\\u001b[31mred\\u001b[0m')`,
  buffer: `process.stdout.write(Buffer.from("bytes: ü"))`,
  "buffer-json": `process.stdout.write(Buffer.from('{"a":1}'))`,
  array: `process.stdout.write(Uint8Array.of(104, 105))`,
  hex: `process.stdout.write("6869", "hex")`,
  base64: `process.stdout.write("aGk=", "base64")`,
  utf8: `process.stdout.write("ü", "utf8")`,
  callback: `await new Promise((resolve) => process.stdout.write("with callback", resolve))`,
  "encoding-and-callback": `await new Promise((resolve) => process.stdout.write("6869", "hex", resolve))`,
  timer: `await new Promise((resolve) => setTimeout(() => { console.log("in a timer"); resolve(); }, 1))`,
  proto: `console.log('{"__proto__":{"x":1},"a":1}')`,
};

const entries: Record<string, { stream?: "stderr"; entry: object }> = {
  text: { entry: { message: "text\n" } },
  "console-format": { entry: { message: "a is 1\n" } },
  "without-newline": { entry: { message: "no newline" } },
  "several-lines": { entry: { message: "first\nsecond\n" } },
  empty: { entry: { message: "\n" } },
  error: { stream: "stderr", entry: { message: "on stderr\n" } },
  number: { entry: { message: "123\n" } },
  null: { entry: { message: "null\n" } },
  "json-number": { entry: { message: "123\n" } },
  "json-null": { entry: { message: "null\n" } },
  "json-true": { entry: { message: "true\n" } },
  "json-text": { entry: { message: '"quoted"\n' } },
  "json-list": { entry: { message: '[1,{"a":2}]\n' } },
  "broken-json": { entry: { message: '{"a":1\n' } },
  "two-objects": { entry: { message: '{"a":1}\n{"b":2}\n' } },
  object: { entry: { message: "m", a: { b: [1] } } },
  "object-on-stderr": { stream: "stderr", entry: { message: "m", severity: "ERROR" } },
  "own-severity": { stream: "stderr", entry: { message: "m", severity: "INFO" } },
  "own-labels": { entry: { [labels]: { mine: "1", execution_id: "own-labels" } } },
  "own-span": { entry: { [spanId]: "mine" } },
  "odd-labels": { entry: { a: 1 } },
  coloured: { entry: { a: 1 } },
  "coloured-text": { entry: { message: "\u001b[31mred\u001b[0m\n" } },
  buffer: { entry: { message: "bytes: ü" } },
  "buffer-json": { entry: { a: 1 } },
  array: { entry: { message: "hi" } },
  hex: { entry: { message: "hi" } },
  base64: { entry: { message: "hi" } },
  utf8: { entry: { message: "ü" } },
  callback: { entry: { message: "with callback" } },
  "encoding-and-callback": { entry: { message: "hi" } },
  timer: { entry: { message: "in a timer\n" } },
  proto: { entry: JSON.parse('{"__proto__":{"x":1},"a":1}') },
};

const module = `
  const functions = require("@openfunction/functions-framework");
  const cases = { ${Object.entries(cases)
    .map(([name, code]) => `${JSON.stringify(name)}: async () => { ${code}; }`)
    .join(",\n")} };
  exports.serve = async (req, res) => {
    await cases[req.path.slice(1)]?.();
    res.send(req.executionId + " " + req.spanId);
  };
  exports.together = async (req, res) => {
    console.log("starts " + req.body.id);
    await new Promise((resolve) => setImmediate(resolve));
    console.error("goes on " + req.body.id);
    setTimeout(() => { console.log("ends " + req.body.id); res.send(req.executionId); }, 1);
  };
  exports.fails = async (req, res) => {
    const deep = '{"a":'.repeat(50_000) + "1" + "}".repeat(50_000);
    console.log(deep);
    const refused = [];
    for (const args of [[5], ["text", "no-encoding"]]) {
      try { process.stdout.write(...args); } catch (err) { refused.push(err.code); }
    }
    res.json(refused);
  };
  exports.logs = (req, res) => {
    req.log.info("told", { a: 1 });
    req.log.warn("warned");
    res.send("x");
    throw new Error("after the answer");
  };
  functions.cloudEvent("event", () => console.log("in an event"));
  functions.openfunction("handle", (ctx) => console.log("in a delivery"));
  console.log("outside");
  console.log('{"out":"side"}');`;

let project: Project;
before(async () => {
  project = await createProject({ "index.js": module });
  await linkPackage(project.folder);
});
after(() => project.remove());

const start = async (target: string, args = ["--log-execution-id"], env: Record<string, string> = {}) =>
  startFramework([`--target=${target}`, ...args], { project: project.folder, env });

const linesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));

describe("every kind of write", () => {
  let framework: Framework;
  before(async () => {
    framework = await start("serve");
  });
  after(() => framework.stop());

  test("what is written outside of an invocation stays as it is", () => {
    assert.match(framework.stdout, /^outside\n\{"out":"side"\}\nServing function/);
  });

  for (const [name, { stream = "stdout", entry }] of Object.entries(entries)) {
    test(`one write is one line with the id: ${name}`, async () => {
      const { text } = await request(`${framework.url}/${name}`, {
        headers: { "Function-Execution-Id": name },
      });
      await framework.says(`"execution_id":"${name}"`);

      const mine = linesOf(framework[stream]).filter((line) => line[labels]?.execution_id === name);
      assert.deepEqual(mine, [
        { ...entry, [labels]: { ...(entry as Record<string, object>)[labels], execution_id: name } },
      ]);
      assert.equal(text, `${name} undefined`);
    });
  }
});

describe("execution ids", { concurrency: 3 }, () => {
  test("an id is made when none is stated, and never sent back in a header", async (t) => {
    const framework = await start("serve");
    t.after(() => framework.stop());

    const replies = await Promise.all(Array.from({ length: 20 }, () => request(`${framework.url}/text`)));
    const ids = replies.map(({ text }) => text.split(" ")[0] as string);
    await Promise.all(ids.map((id) => framework.says(id)));

    assert.equal(new Set(ids).size, 20);
    for (const id of ids) assert.match(id, /^[a-z0-9]{12}$/);
    for (const { headers } of replies) assert.doesNotMatch(JSON.stringify(headers), /execution/i);
  });

  for (const [headers, expected, spanOfRequest] of [
    [{ "X-Cloud-Trace-Context": "abc123/456;o=1" }, { [spanId]: "456", [traceName]: "abc123" }, "456"],
    [{ "X-Cloud-Trace-Context": "abc123" }, {}, "undefined"],
    [
      { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
      { [traceName]: "0af7651916cd43dd8448eb211c80319c" },
      "undefined",
    ],
  ] as [Record<string, string>, object, string][]) {
    test(`the trace of the caller stands in the lines: ${JSON.stringify(headers)}`, async (t) => {
      const framework = await start("serve");
      t.after(() => framework.stop());

      const reply = await request(`${framework.url}/text`, {
        headers: { "Function-Execution-Id": "my-id", ...headers },
      });
      await framework.says('"execution_id":"my-id"');

      const [, line] = linesOf(framework.stdout);
      assert.deepEqual(line, { message: "text\n", ...of("my-id"), ...expected });
      assert.equal(reply.text, `my-id ${spanOfRequest}`);
    });
  }

  test("the trace is named with the project where Google's logging wants it", async (t) => {
    const framework = await start("serve", ["--log-execution-id"], { GOOGLE_CLOUD_PROJECT: "my-project" });
    t.after(() => framework.stop());

    await request(`${framework.url}/text`, { headers: { "X-Cloud-Trace-Context": "abc/1" } });
    await framework.says("execution_id");

    assert.equal(linesOf(framework.stdout)[1][traceName], "projects/my-project/traces/abc");
  });

  test("ids stay apart, through bodies, timers and a hundred requests at once", async (t) => {
    const framework = await start("together");
    t.after(() => framework.stop());
    const ids = Array.from({ length: 100 }, (_, number) => `id-${number}-end`);

    const replies = await Promise.all(
      ids.map((id) => postJson(framework.url, { id }, { "Function-Execution-Id": id })),
    );
    await Promise.all(ids.flatMap((id) => [framework.says(`ends ${id}`), framework.says(`goes on ${id}`)]));

    assert.deepEqual(
      replies.map(({ text }) => text),
      ids,
    );
    const lines = [...linesOf(framework.stdout).slice(1), ...linesOf(framework.stderr)];
    assert.equal(lines.length, 300);
    for (const line of lines)
      assert.equal(/ (id-\d+-end)\n$/.exec(line.message)?.[1], line[labels].execution_id);
  });

  test("what cannot be labelled is written as it is, and the function sees no more errors than without", async (t) => {
    const on = await start("fails");
    const off = await start("fails", []);
    t.after(() => Promise.all([on.stop(), off.stop()]));

    const replies = await Promise.all([request(on.url), request(off.url)]);
    await on.says('{"a":{"a":{"a":');

    for (const reply of replies)
      assert.deepEqual([reply.status, reply.json()], [200, ["ERR_INVALID_ARG_TYPE", "ERR_UNKNOWN_ENCODING"]]);
    assert.ok(!on.stdout.includes("execution_id"));
  });

  for (const [target, path, env] of [
    ["event", "/", {}],
    ["handle", "/", {}],
    ["handle", "/queue", asyncContext()],
  ] as const) {
    test(`other signatures too: ${target}${path}`, async (t) => {
      const framework = await start(target, ["--log-execution-id"], env);
      t.after(() => framework.stop());
      const attributes = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };

      await postJson(framework.url + path, {}, { "Function-Execution-Id": "my-id", ...attributes });
      await framework.says("execution_id");

      const [, line] = linesOf(framework.stdout);
      assert.deepEqual(line, {
        message: target === "event" ? "in an event\n" : "in a delivery\n",
        ...of("my-id"),
      });
    });
  }

  test("the framework's own lines of an invocation carry the id and a severity", async (t) => {
    const framework = await start("logs");
    t.after(() => framework.stop());

    await request(framework.url, { headers: { "Function-Execution-Id": "my-id" } });
    await framework.says("after the answer");

    const lines = linesOf(framework.stderr);
    assert.deepEqual(
      lines.map((line) => [line.message, line.severity, line[labels]?.execution_id, line.invocation]),
      [
        ["told", "INFO", "my-id", "my-id"],
        ["warned", "WARNING", "my-id", "my-id"],
        ["after the answer", "ERROR", "my-id", "my-id"],
      ],
    );
  });

  for (const [args, env, isOn] of [
    [["--log-execution-id=true"], {}, true],
    [["--log-execution-id", "TRUE"], {}, true],
    [[], { LOG_EXECUTION_ID: "True" }, true],
    [["--log-execution-id=false"], { LOG_EXECUTION_ID: "true" }, false],
    [["--log-execution-id=yes"], {}, false],
    [[], { LOG_EXECUTION_ID: "1" }, false],
    [[], {}, false],
  ] as [string[], Record<string, string>, boolean][]) {
    test(`${isOn ? "on" : "off"}: ${args.join(" ")} ${JSON.stringify(env)}`, async (t) => {
      const framework = await start("serve", args, env);
      t.after(() => framework.stop());

      await request(`${framework.url}/text`);
      await framework.says("text");

      assert.equal(framework.stdout.includes("execution_id"), isOn);
      if (!isOn) assert.match(framework.stdout, /\ntext\n$/);
    });
  }
});

test("req.log and ctx.log carry the trace of the caller", async (t) => {
  const framework = await startModule(
    t,
    `exports.serve = (req, res) => { req.log.info("told"); res.send("x"); };`,
    ["--target=serve"],
  );
  const parent = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
  const rows: [headers: Record<string, string>, trace: { traceId?: string; spanId?: string }][] = [
    [{ traceparent: `00-${parent.traceId}-${parent.spanId}-01` }, parent],
    [{ "X-Cloud-Trace-Context": "abc/12;o=0" }, { traceId: "abc", spanId: "12" }],
    [{ traceparent: `00-${parent.traceId}-${parent.spanId}-00`, "X-Cloud-Trace-Context": "abc/12" }, parent],
    [
      { traceparent: "broken", "X-Cloud-Trace-Context": "abc/12" },
      { traceId: "abc", spanId: "12" },
    ],
    [{ traceparent: "broken" }, {}],
    [{}, {}],
  ];

  for (const [headers, trace] of rows) {
    const id = `id-${rows.findIndex(([one]) => one === headers)}`;
    await request(framework.url, { headers: { ...headers, "Function-Execution-Id": id } });
    await framework.says(id);
    const line = framework.logs().find((one) => (one as { invocation?: string }).invocation === id);
    const { time, ...fields } = line as unknown as Record<string, string>;
    assert.ok(time);
    assert.deepEqual(fields, { level: "info", message: "told", function: "serve", invocation: id, ...trace });
  }
});

test("a line of req.log keeps labels of its own, and fields without JSON form change no other field", async (t) => {
  const framework = await startModule(
    t,
    `exports.serve = (req, res) => {
      req.log.info("sold", { "${labels}": { shop: "north" } });
      req.log.info("counted", { pieces: 10n, order: "7", nothing: undefined });
      res.send("x");
    };`,
    ["--target=serve", "--log-execution-id"],
  );

  await request(framework.url, { headers: { "Function-Execution-Id": "x1" } });
  await framework.says("counted");

  const common = { level: "info", severity: "INFO", function: "serve", invocation: "x1" };
  assert.deepEqual(
    framework.logs().map((line) => ({ ...line, time: undefined })),
    [
      { ...common, message: "sold", [labels]: { shop: "north", execution_id: "x1" }, time: undefined },
      { ...common, message: "counted", pieces: "10n", order: "7", ...of("x1"), time: undefined },
    ],
  );
});
