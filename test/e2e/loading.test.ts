import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { makeProject } from "../support/project";
import { logLines, runFramework, startFramework } from "./support/framework";
import { request } from "./support/http";

const fixtures = resolve(__dirname, "../fixtures");

const found: [title: string, project: string, args: string[], text: string][] = [
  ["an .mjs file", "modules", ["--source=hello.mjs"], "from hello.mjs"],
  ["a .cjs file", "modules", ["--source=hello.cjs"], "from hello.cjs"],
  ["a .js file that is CommonJS", "modules", ["--source=hello.js"], "from hello.js"],
  [
    "a file without its ending, which beats a folder of that name",
    "modules",
    ["--source=hello"],
    "from hello.js",
  ],
  ["a folder below", ".", ["--source=esm-by-type"], "from an ES module by type"],
  ["an absolute path", ".", [`--source=${join(fixtures, "modules/hello.cjs")}`], "from hello.cjs"],
  ["a .js file that is ESM by the type of its package", "esm-by-type", [], "from an ES module by type"],
  ["ESM syntax where no type is given", "esm-without-type", [], "from an ES module without type"],
  ["index.mjs alone", "index-mjs-alone", [], "from index.mjs alone"],
  ["index.cjs alone", "index-cjs-alone", [], "from index.cjs alone"],
  ["function.js", "function-js", [], "from function.js"],
  ["main of package.json", "main-in-package-json", [], "from lib/start.js"],
  ["index.js where main names a missing file", "main-missing", [], "from index.js, as main is missing"],
  ["a module with a top-level await", "top-level-await", [], "from a top-level await"],
  ["exports of package.json", "exports-in-package-json", [], "from lib/start.mjs"],
  ["main of package.json that is TypeScript", "typescript", [], "from TypeScript"],
  ["a TypeScript file without its ending", "typescript", ["--source=src/start"], "from TypeScript"],
];

for (const [title, project, args, text] of found) {
  test(`the module is found: ${title}`, async (t) => {
    const framework = await startFramework(["--target=hello", ...args], { project });
    t.after(framework.stop);

    const reply = await request(framework.url);

    assert.equal(reply.text, text);
  });
}

const targets: [title: string, project: string, target: string | undefined, text: string][] = [
  ["an export", "targets", "hello", "hello"],
  ["a dotted path through objects", "targets", "greetings.german.hallo", "hallo"],
  ["a dotted path through a function", "targets", "hello.loudly", "HELLO"],
  ["default for a module that is a function", "module-is-function", "default", "the module itself"],
  ["default for a default export", "default-export", "default", "the default export"],
  [
    "a name registered after a top-level await",
    "registered-esm",
    "late",
    "registered after a top-level await",
  ],
  ["none, and one export is called function", "named-function", undefined, "the default target"],
];

for (const [title, project, target, text] of targets) {
  test(`the target is ${title}`, async (t) => {
    const framework = await startFramework(target === undefined ? [] : [`--target=${target}`], { project });
    t.after(framework.stop);

    const reply = await request(framework.url);

    assert.equal(reply.text, text);
    assert.match(framework.stdout, new RegExp(`^Function: ${target ?? "function"}$`, "m"));
    assert.equal(framework.stderr, "");
  });
}

const single: [project: string, name: string, text: string][] = [
  ["single-function", "onlyOne", "the only one"],
  ["targets", "hello", "hello"],
  ["module-is-function", "default", "the module itself"],
  ["default-export", "default", "the default export"],
  ["registered-esm", "late", "registered after a top-level await"],
];

test("without a target the single function is served, and that is said", async (t) => {
  for (const [project, name, text] of single) {
    const framework = await startFramework([], { project });
    t.after(framework.stop);

    const reply = await request(framework.url);
    await framework.says("so it is served");

    assert.equal(reply.text, text);
    assert.match(framework.stdout, new RegExp(`^Function: ${name}$`, "m"));
    assert.deepEqual(
      framework.logs().map(({ message }) => message),
      [`No target is given: "${name}" is the only function, so it is served.`],
    );
  }
});

test("a registered name beats an export of the same name, and its signature beats the flag", async (t) => {
  const framework = await startFramework(["--target=stored", "--signature-type=http"], {
    project: "registered",
  });
  t.after(framework.stop);
  const headers = { "ce-id": "7", "ce-source": "/test", "ce-type": "test", "ce-specversion": "1.0" };

  const reply = await request(framework.url, { method: "POST", headers });

  assert.equal(reply.text, "registered, 7");
  assert.match(framework.stdout, /^Signature type: cloudevent$/m);
});

test("the last registration of a name wins, with a warning that names both places", async (t) => {
  const framework = await startFramework(["--target=hello"], { project: "registered-twice" });
  t.after(framework.stop);

  const reply = await request(framework.url);
  await framework.says("registered twice");

  assert.equal(reply.text, "second");
  const [line] = framework.logs();
  assert.equal(line?.level, "warn");
  assert.match(
    line?.message ?? "",
    /"hello".*registered-twice\/index\.js:4:.*registered-twice\/index\.js:3:/,
  );
});

for (const name of ["a_b", "a-b", "Z", "x".repeat(63)]) {
  test(`a registered name that is allowed: "${name}"`, async (t) => {
    const framework = await startFramework([`--target=${name}`], {
      project: "broken-registrations",
      env: { NAME: name },
    });
    t.after(framework.stop);

    const reply = await request(framework.url);

    assert.equal(reply.text, "registered");
  });
}

test("a method of an exported object can be the target, what every object inherits cannot", async (t) => {
  const module =
    "class Service { hello(req, res) { res.send('from a method'); } }\nexports.service = new Service();\n";
  const project = makeProject(t, { "index.js": module });
  const framework = await startFramework(["--target=service.hello"], { project });
  t.after(() => framework.stop());

  const reply = await request(framework.url);
  const inherited = await runFramework(["--target=service.toString", "--port=0"], { project });

  assert.equal(reply.text, "from a method");
  assert.match(inherited.stderr, /FF_TARGET_NOT_FOUND/);
});

const several: [target: string, names: string[]][] = [
  ["b,a", ["b", "a"]],
  [" a , nested.c ", ["a", "nested.c"]],
  ["*", ["a", "b"]],
  ["liveness,a", ["liveness", "a"]],
];

test("a target may be several functions, in its order", async (t) => {
  const project = makeProject(t, {
    "index.js": `for (const name of ["liveness", "a", "b"]) exports[name] = (_req, res) => res.send(name);
      exports.nested = { c: (_req, res) => res.send("nested.c") };`,
  });
  for (const [target, names] of several) {
    const framework = await startFramework([`--target=${target}`], { project });
    t.after(framework.stop);

    for (const name of names) assert.equal((await request(`${framework.url}/${name}`)).text, name);
    assert.match(framework.stdout, new RegExp(`^Function: ${names.join(", ")}$`, "m"));
  }
});

test("every function of a target must be there", async (t) => {
  const project = makeProject(t, { "index.js": "exports.hello = () => {}; exports.other = () => {};" });

  const { code, stderr } = await runFramework(["--target=hello,othr", "--port=0"], { project });

  assert.equal(code, 1);
  const [line] = logLines(stderr);
  assert.equal(line?.code, "FF_TARGET_NOT_FOUND");
  assert.match(`${line?.message} ${line?.hint}`, /"othr".*Did you mean "other"/);
});

test("exports that belong to the life of a module do not make the only function ambiguous", async (t) => {
  const project = makeProject(t, {
    "index.js": `exports.init = exports.shutdown = () => {};
      exports.liveness = exports.readiness = () => true;
      exports.hello = (_req, res) => res.send("hello");`,
  });
  const framework = await startFramework([], { project });
  t.after(framework.stop);

  assert.match(framework.stdout, /^Function: hello$/m);
});

// Each module tells its name; the function answers with all that were told.
const tells = (name: string) => `(globalThis.told ??= []).push("${name}");`;

test("modules of --import are loaded before the function, in their order", async (t) => {
  const project = makeProject(t, {
    "index.js": "const told = globalThis.told.join(); exports.hello = (_req, res) => res.send(told);",
    "setup.js": tells("setup.js"),
    "lib/setup.mjs": `await null; ${tells("lib/setup.mjs")}`,
    "lib/setup.ts": `enum Name { Setup = "lib/setup.ts" } (globalThis as any).told.push(Name.Setup);`,
    "node_modules/@a/setup/package.json": '{"exports":{"./register":{"import":"./register.mjs"}}}',
    "node_modules/@a/setup/register.mjs": tells("@a/setup/register"),
    "cache/x": "",
  });
  const cases: [args: string[], env: Record<string, string>, told: string][] = [
    [["--import=./setup.js", "--import", "@a/setup/register"], {}, "setup.js,@a/setup/register"],
    [["--import=lib/setup.mjs"], { FF_IMPORT: "./setup.js" }, "lib/setup.mjs"],
    [[], { FF_IMPORT: "setup.js, ./lib/setup.mjs,./lib/setup.ts" }, "setup.js,lib/setup.mjs,lib/setup.ts"],
  ];
  for (const [args, env, told] of cases) {
    const framework = await startFramework(["--target=hello", ...args], {
      project,
      env: { ...env, FF_CACHE_DIR: join(project, "cache") },
    });
    t.after(framework.stop);

    assert.equal((await request(framework.url)).text, told);
  }
});
