/** What happens to the functions of `dev` when files change while it runs. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { freePorts, startDev } from "../support/dev";
import { connectOutside } from "../support/mqtt-client";
import { untilGone } from "../support/processes";
import { asyncFunctionYaml, functionYaml, httpFunctionYaml, makeProject } from "../support/project";

const changes = Number(process.env.WATCH_CHANGES ?? 50);
const reloads = Number(process.env.WATCH_RELOADS ?? 15);

const module = (version: string) => `exports.hello = (req, res) => res.send('${version}');\n`;

async function setUp(
  t: TestContext,
  files: Record<string, string>,
  { args = [] as string[], env = {} as NodeJS.ProcessEnv } = {},
) {
  const folder = makeProject(t, { "function.yaml": httpFunctionYaml("hello", "hello"), ...files });
  const dev = startDev(folder, [...freePorts, ...args], env);
  t.after(() => dev.stop("SIGKILL"));
  const ready = await dev.ready();
  const [first] = ready.functions;
  const url = first?.url ?? "";
  let told = 0;
  return {
    dev,
    ready,
    pid: first?.pid ?? 0,
    path: (name: string) => join(folder, name),
    write: (name: string, text: string) => writeFileSync(join(folder, name), text),
    /** One request. */
    async call(path = "") {
      const reply = await fetch(url + path, { signal: AbortSignal.timeout(60_000) });
      return { status: reply.status, text: await reply.text() };
    },
    /** Resolves with the next reload that was not asked for yet. */
    async reload() {
      const after = told++;
      return (await dev.next("reload", (event) => dev.all("reload").indexOf(event) >= after)).data;
    },
    error: (code: string) => dev.next("error", ({ data }) => data.code === code),
  };
}

const kinds: [what: string, files: Record<string, string>, file: string, from: string][] = [
  ["a CommonJS module", { "index.js": module("one") }, "index.js", "one"],
  [
    "an ES module",
    { "index.mjs": "export const hello = (req, res) => res.send('one');" },
    "index.mjs",
    "one",
  ],
  [
    "a TypeScript module",
    { "index.ts": "export const hello = (req: object, res: any) => res.send('one');", "tsconfig.json": "{}" },
    "index.ts",
    "one",
  ],
  [
    "a module deep below",
    {
      "index.js": "exports.hello = require('./lib/a').hello;",
      "lib/a.js": "exports.hello = require('./deep/b').hello;",
      "lib/deep/b.js": module("one"),
    },
    "lib/deep/b.js",
    "one",
  ],
  [
    "an ES module below an ES module",
    {
      "index.mjs": "import { text } from './lib/a.mjs'; export const hello = (req, res) => res.send(text);",
      "lib/a.mjs": "export const text = 'one';",
    },
    "lib/a.mjs",
    "one",
  ],
  [
    "a JSON file",
    {
      "index.js": "const { text } = require('./data.json'); exports.hello = (req, res) => res.send(text);",
      "data.json": '{"text":"one"}',
    },
    "data.json",
    "one",
  ],
  [
    "a module that is imported at the first call",
    {
      "index.mjs": "export const hello = async (req, res) => res.send((await import('./late.mjs')).text);",
      "late.mjs": "export const text = 'one';",
    },
    "late.mjs",
    "one",
  ],
  [
    "package.json",
    {
      "index.js": "exports.hello = (req, res) => res.send(require('./package.json').version);",
      "package.json": '{"version":"one"}',
    },
    "package.json",
    "one",
  ],
];
for (const [what, files, file, from] of kinds) {
  test(`a change of ${what} is served by the next answer`, async (t) => {
    const { call, write, path, reload, pid } = await setUp(t, files);
    assert.deepEqual(await call(), { status: 200, text: from });

    write(file, (files[file] ?? "").replace(from, "two"));
    const { reason, files: changed, pid: next, ms } = await reload();

    assert.deepEqual(await call(), { status: 200, text: "two" });
    assert.deepEqual([reason, changed], ["a change", [path(file)]]);
    assert.notEqual(next, pid);
    assert.ok(ms > 0);
    await untilGone(pid);
  });
}

test("a module that cannot be loaded is told with its place, the old one serves, and mending it is enough", async (t) => {
  const { call, write, path, reload, error, dev } = await setUp(t, { "index.js": module("one") });

  write("index.js", "exports.hello = (req, res => res.send('two');");
  const { data, function: name } = await error("FF_LOAD_SYNTAX");
  const meanwhile = await call();
  write("index.js", module("three"));
  await reload();

  assert.equal(name, "hello");
  assert.equal(data.place, `${path("index.js")}:1`);
  assert.deepEqual(meanwhile, { status: 200, text: "one" });
  assert.deepEqual(await call(), { status: 200, text: "three" });
  assert.equal(dev.all("error").length, 1);
});

test("a broken module that is put back as it was is started again", async (t) => {
  const { call, write, reload, error } = await setUp(t, {
    "index.mjs": "export const hello = (req, res) => res.send('one');",
  });

  write("index.mjs", "export const hello = await;");
  await error("FF_LOAD_SYNTAX");
  write("index.mjs", "export const hello = (req, res) => res.send('one');");
  await reload();

  assert.deepEqual(await call(), { status: 200, text: "one" });
});

test("a module that imports what is not there yet starts when that comes", async (t) => {
  const { call, write, path, reload, error } = await setUp(t, { "index.js": module("one") });

  write("index.js", "exports.hello = require('./lib/new').hello;");
  await error("FF_LOAD_DEPENDENCY");
  assert.deepEqual(await call(), { status: 200, text: "one" });
  mkdirSync(path("lib"));
  write("lib/new.js", module("two"));
  await reload();

  assert.deepEqual(await call(), { status: 200, text: "two" });
});

for (const [what, files, code, mend] of [
  ["a syntax error", { "index.js": "exports.hello = (" }, "FF_LOAD_SYNTAX", module("mended")],
  ["no such target", { "index.js": "exports.other = () => {};" }, "FF_TARGET_NOT_FOUND", module("mended")],
  ["an error as it loads", { "index.js": "throw new Error('no')" }, "FF_LOAD_FAILED", module("mended")],
  ["no module at all", {}, "FF_LOAD_NOT_FOUND", module("mended")],
] as [string, Record<string, string>, string, string][]) {
  test(`a function that cannot be loaded at the start is 503 until it is mended: ${what}`, async (t) => {
    const { call, write, reload, error, ready } = await setUp(t, files);
    const { function: name } = await error(code);
    const before = await call();

    write("index.js", mend);
    await reload();

    assert.equal(name, "hello");
    assert.deepEqual([ready.functions[0]?.pid, ready.functions[0]?.signature], [0, ""]);
    assert.equal(before.status, 503);
    assert.deepEqual(await call(), { status: 200, text: "mended" });
  });
}

test("a save by rename, and a delete that is taken back", async (t) => {
  const { call, write, path, reload, error } = await setUp(t, { "index.js": module("one"), "lib.js": "" });

  write(".index.js.swp", module("two"));
  renameSync(path(".index.js.swp"), path("index.js"));
  await reload();
  assert.deepEqual(await call(), { status: 200, text: "two" });

  rmSync(path("index.js"));
  await error("FF_LOAD_NOT_FOUND");
  assert.deepEqual(await call(), { status: 200, text: "two" });

  write("index.js", module("two"));
  await reload();
  assert.deepEqual(await call(), { status: 200, text: "two" });
});

test(`${changes} rapid changes end with the last one`, async (t) => {
  const { call, write, path, dev } = await setUp(t, { "index.js": module("v0") });
  const wanted = `v${changes}`;

  for (let change = 1; change <= changes; change++) {
    write("next.js", module(`v${change}`)); // nobody sees half of it
    renameSync(path("next.js"), path("index.js"));
    await new Promise((resolve) => setTimeout(resolve, change % 7)); // some faster than a burst, some slower
  }
  for (let text = ""; text !== wanted; ) ({ text } = await call()); // every one of them is answered

  assert.ok(dev.all("reload").length <= changes);
  assert.deepEqual(dev.all("error"), []);
});

test("a request in flight is finished by the process that has it; those that come after the change wait", async (t) => {
  const source = (version: string) => `
    exports.hello = (req, res) => {
      if (req.path.endsWith('/slow')) { console.log('begun'); global.finish = () => res.send('${version}'); }
      else if (req.path.endsWith('/finish')) { global.finish?.(); res.send('finished'); }
      else res.send('${version}');
    };
    process.on('SIGUSR2', () => global.finish?.());`;
  const { call, write, reload, dev, pid } = await setUp(t, { "index.js": source("one") });
  const slow = call("/slow");
  await dev.next("log", ({ data }) => data.text === "begun");

  write("index.js", source("two"));
  await reload();
  const others = await Promise.all(Array.from({ length: 20 }, () => call()));
  process.kill(pid, "SIGUSR2");

  assert.deepEqual(await slow, { status: 200, text: "one" });
  assert.ok(others.every(({ text }) => text === "two"));
  await untilGone(pid);
});

test("no request is lost over reloads under load", async (t) => {
  const { call, write, reload } = await setUp(t, { "index.js": module("v0") });
  const statuses = new Map<number, number>();
  let isOver = false;
  const client = async () => {
    while (!isOver) {
      const { status } = await call();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const clients = Array.from({ length: 8 }, client);

  for (let change = 1; change <= 5; change++) {
    write("index.js", module(`v${change}`));
    await reload();
  }
  isOver = true;
  await Promise.all(clients);

  assert.deepEqual([...statuses.keys()], [200]);
});

test(`no process and no watch is left over by ${reloads} reloads`, {
  skip: process.platform !== "linux",
}, async (t) => {
  const { call, write, reload, dev } = await setUp(t, {
    "index.js": "exports.hello = require('./lib').hello;",
    "lib.js": module("v0"),
  });
  const pid = dev.child.pid ?? 0;
  let watches = 0;

  for (let change = 1; change <= reloads; change++) {
    write("lib.js", module(`v${change}`));
    await reload();
    assert.equal((await call()).text, `v${change}`);
    if (change === 1) watches = watchesOf(pid);
  }

  assert.equal(watchesOf(pid), watches);
  const pids = dev.all("reload").map(({ data }) => data.pid);
  for (const old of pids.slice(0, -1)) await untilGone(old);
  assert.ok(childrenOf(pid).length <= 2, "the function and its spare");
  const last = childrenOf(pid);
  assert.equal(await dev.stop(), 0);
  for (const one of last) await untilGone(one);
});

test("what is no change starts nothing", async (t) => {
  const { write, reload, dev, path } = await setUp(t, {
    "index.js": module("one"),
    "data.txt": "1",
    "other.js": "1",
  });

  write("index.js", module("one"));
  write("data.txt", "2");
  write("other.js", "2");
  write("copy", module("one"));
  renameSync(path("copy"), path("index.js"));
  await new Promise((resolve) => setTimeout(resolve, 300)); // longer than anything waits before it looks
  write("index.js", module("two"));
  await reload();

  assert.equal(dev.all("reload").length, 1);
});

test("a change ends a crash loop, and a load that never ends", async (t) => {
  const { call, write, reload, error } = await setUp(t, { "index.js": module("one") });
  write("index.js", "setTimeout(() => process.exit(7), 10); exports.hello = () => {};");
  await error("FF_INSTANCE_CRASH_LOOP");

  write("index.js", "while (true) {}");
  await new Promise((resolve) => setTimeout(resolve, 300)); // it has begun to load
  write("index.js", module("two"));
  while ((await reload()).files.length === 0);

  assert.deepEqual(await call(), { status: 200, text: "two" });
});

test("only the function concerned starts again", async (t) => {
  const { write, reload, dev, ready } = await setUp(
    t,
    {
      "function.yaml": httpFunctionYaml("hello", "hello"),
      "other.yaml": JSON.stringify({
        ...JSON.parse(httpFunctionYaml("other", "other")),
        spec: { image: "x", serving: { params: { FUNCTION_TARGET: "other", FUNCTION_SOURCE: "other.js" } } },
      }),
      "index.js": module("one"),
      "other.js": "exports.other = (req, res) => res.send('other');",
    },
    { args: ["-f", "."] },
  );

  write("index.js", module("two"));
  await reload();

  assert.equal(ready.functions.length, 2);
  assert.deepEqual(
    dev.all("reload").map((event) => event.function),
    ["hello"],
  );
  const [helloUrl] = ready.functions.filter(({ name }) => name === "hello").map(({ url }) => url);
  assert.equal(await (await fetch(helloUrl ?? "")).text(), "two");
});

const env = (value: string) =>
  functionYaml("hello", { runtime: "knative", params: { FUNCTION_TARGET: "hello", VALUE: value } });
const showsValue = "exports.hello = (req, res) => res.send(process.env.VALUE + ' ' + process.env.OTHER);";

test("changed params of a CR and changed env files are what the function sees", async (t) => {
  const { call, write, reload, error, path, dev } = await setUp(
    t,
    { "function.yaml": env("one"), "index.js": showsValue, ".env": "OTHER=x\n" },
    { args: ["--env-file=.env"] },
  );
  assert.equal((await call()).text, "one x");

  write("function.yaml", env("two"));
  assert.deepEqual((await reload()).files, [path("function.yaml")]);
  assert.equal((await call()).text, "two x");

  write(".env", "OTHER=y\n");
  await reload();
  assert.equal((await call()).text, "two y");

  write("function.yaml", "kind: [");
  await error("FF_MANIFEST_SYNTAX");
  assert.equal((await call()).text, "two y");

  rmSync(path(".env"));
  write("function.yaml", env("three"));
  await error("FF_INSTANCE_ENV_FILE");
  assert.equal((await call()).text, "two y");

  write(".env", "OTHER=z\n");
  await reload();
  assert.equal((await call()).text, "three z");
  assert.deepEqual(dev.stray, []);
});

test("functions and components that are added are for the next start, and an error says so", async (t) => {
  const { call, write, error } = await setUp(t, { "index.js": module("one") });

  write("function.yaml", asyncFunctionYaml({ name: "hello", target: "hello" }));
  await error("FF_DEV_RESTART_NEEDED");

  assert.deepEqual(await call(), { status: 200, text: "one" });
});

test("a package that is missing is no reason to start again before it comes", async (t) => {
  const { call, write, reload, dev, path } = await setUp(t, {
    "index.js":
      "let text = 'without'; try { text = require('absent'); } catch {} exports.hello = (req, res) => res.send(text);",
    "package.json": "{}",
    "node_modules/.package-lock.json": "{}",
    "node_modules/other/index.js": "",
  });
  assert.equal((await call()).text, "without");

  mkdirSync(path("node_modules/absent"));
  write("node_modules/absent/index.js", "module.exports = 'with';");
  write("node_modules/.package-lock.json", '{"packages":{}}');
  await reload();

  assert.equal((await call()).text, "with");
  assert.equal(dev.all("reload").length, 1);
});

test("an env file that is not there ends the start", async (t) => {
  const folder = makeProject(t, {
    "function.yaml": httpFunctionYaml("hello", "hello"),
    "index.js": module("one"),
  });
  const dev = startDev(folder, [...freePorts, "--env-file=gone.env"]);
  t.after(() => dev.stop("SIGKILL"));

  const { code } = await dev.exited;

  // Node 20 itself reads this flag, wherever it stands, and ends with 9.
  if (code === 9) return assert.match(dev.stderr, /gone\.env: not found/);
  assert.equal(code, 1);
  assert.deepEqual(
    dev.all("error").map(({ data }) => data.code),
    ["FF_INSTANCE_ENV_FILE"],
  );
});

test("messages wait for the new code", async (t) => {
  const source = (version: string) =>
    `exports.relay = async (ctx, data) => { console.log('${version} ' + data.n); };`;
  const { dev, write, reload, ready } = await setUp(t, {
    "function.yaml": asyncFunctionYaml({ name: "relay", target: "relay" }),
    "index.js": source("one"),
  });
  const broker = ready.brokers.find(({ component }) => component === "mqtt-in")?.address ?? "";
  const client = await connectOutside(broker);
  t.after(() => client.stop());
  await client.publish("in", '{"n":1}');
  await dev.next("log", ({ data }) => data.text === "one 1");

  write("index.js", source("two"));
  await reload();
  await client.publish("in", '{"n":2}');
  await dev.next("log", ({ data }) => data.text === "two 2");

  write("index.js", "exports.relay = (");
  await dev.next("error", ({ data }) => data.code === "FF_LOAD_SYNTAX");
  await client.publish("in", '{"n":3}');
  await dev.next("log", ({ data }) => data.text === "two 3");
});

test("--no-watch: a change starts nothing", async (t) => {
  const { call, write, dev } = await setUp(t, { "index.js": module("one") }, { args: ["--no-watch"] });

  write("index.js", module("two"));
  await new Promise((resolve) => setTimeout(resolve, 300)); // longer than a watch would wait before it looks

  assert.deepEqual(await call(), { status: 200, text: "one" });
  assert.deepEqual(dev.all("reload"), []);
  assert.equal(
    childrenOf(dev.child.pid ?? 0).length,
    process.platform === "linux" ? 1 : 0,
    "there is no spare",
  );
});

test("--no-watch: a function that cannot be loaded ends the start", async (t) => {
  const folder = makeProject(t, {
    "function.yaml": httpFunctionYaml("hello", "hello"),
    "index.js": "exports.hello = (",
  });
  const dev = startDev(folder, [...freePorts, "--no-watch"]);
  t.after(() => dev.stop("SIGKILL"));

  assert.equal((await dev.exited).code, 1);
});

function childrenOf(pid: number): number[] {
  if (process.platform !== "linux") return [];
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

/** How many things the kernel watches for the process. */
function watchesOf(pid: number): number {
  const lines = readdirSync(`/proc/${pid}/fdinfo`).flatMap((fd) => {
    try {
      return readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").split("\n");
    } catch {
      return []; // closed meanwhile
    }
  });
  return lines.filter((line) => line.startsWith("inotify wd")).length;
}

test("a function that hangs while it is loaded is mended before dev is ready", async (t) => {
  const folder = makeProject(t, {
    "function.yaml": httpFunctionYaml("hello", "hello"),
    "index.mjs":
      "console.log('loading'); setInterval(() => undefined, 1_000); await new Promise(() => undefined);",
  });
  const dev = startDev(folder, freePorts);
  t.after(() => dev.stop("SIGKILL"));
  await dev.next("log", ({ data }) => data.text.includes("loading"));

  writeFileSync(join(folder, "index.mjs"), "export const hello = (req, res) => res.send('mended');");
  const { functions } = await dev.ready();
  const reply = await fetch(functions[0]?.url ?? "");

  assert.equal(await reply.text(), "mended");
  assert.notEqual(functions[0]?.pid, 0);
  assert.deepEqual(dev.all("error"), []);
});

test("dev that is stopped while a function is loaded ends at once", async (t) => {
  const folder = makeProject(t, {
    "function.yaml": httpFunctionYaml("hello", "hello"),
    "index.mjs": `process.on("exit", () => console.log("left"));
      console.log("loading"); setInterval(() => undefined, 1_000); await new Promise(() => undefined);`,
  });
  const dev = startDev(folder, freePorts);
  t.after(() => dev.stop("SIGKILL"));
  await dev.next("log", ({ data }) => data.text.includes("loading"));

  assert.equal(await dev.stop(), 0);

  assert.ok(dev.all("log").some(({ data }) => data.text.includes("left"))); // it had the time to tidy up
});

test("a folder that is deleted is told, the function goes on, and comes back with it", async (t) => {
  const files = { "function.yaml": httpFunctionYaml("hello", "hello"), "index.js": module("one") };
  const root = makeProject(
    t,
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`app/${name}`, text])),
  );
  const folder = join(root, "app");
  const dev = startDev(folder, freePorts);
  t.after(() => dev.stop("SIGKILL"));
  const { functions } = await dev.ready();
  const call = async () => (await fetch(functions[0]?.url ?? "")).text();

  rmSync(folder, { recursive: true });
  const { data } = await dev.next("error", (event) => event.data.code === "FF_INSTANCE_EXITED");
  await dev.next("error", (event) => event.data.code === "FF_MANIFEST_NO_FUNCTION");
  const meanwhile = await call();
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, name), text.replace("one", "two"));
  await dev.next("reload");

  assert.match(data.message, /as its folder .*app is not there/);
  assert.deepEqual([meanwhile, await call()], ["one", "two"]);
  assert.equal(dev.stderr, "");
});
