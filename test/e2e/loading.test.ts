import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { makeProject } from "../support/project";
import { type Ending, type LogLine, logLines, runFramework, startFramework } from "./support/framework";
import { request } from "./support/http";
import { createProject, installCopy } from "./support/projects";

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

test("a function registered through another copy of the package is served", async (t) => {
  const project = await createProject({
    "index.js": `const functions = require("@openfunction/functions-framework");
      functions.http("hello", (req, res) => res.send(require.resolve("@openfunction/functions-framework")));`,
    "index.mjs": `import * as functions from "@openfunction/functions-framework";
      functions.cloudEvent("stored", (event) => event.id);`,
  });
  t.after(project.remove);
  await installCopy(project.folder);
  const commonJs = await startFramework(["--target=hello"], { project: project.folder });
  const esm = await startFramework(["--source=index.mjs"], { project: project.folder });
  t.after(() => Promise.all([commonJs.stop(), esm.stop()]));

  const reply = await request(commonJs.url);

  assert.ok(reply.text.startsWith(project.folder), reply.text);
  assert.match(esm.stdout, /^Function: stored\nSignature type: cloudevent$/m);
});

interface Failure {
  title: string;
  project: string;
  args?: string[];
  env?: Record<string, string>;
  code: string;
  /** Parts of sentence and hint. */
  says: (string | RegExp)[];
  /** Where the user's stack must lead. */
  stack?: RegExp;
}

const failures: Failure[] = [
  {
    title: "a source that does not exist",
    project: ".",
    args: ["--source=nowhere/at-all"],
    code: "FF_LOAD_NOT_FOUND",
    says: [join(fixtures, "nowhere/at-all"), "--source"],
  },
  {
    title: "a folder without a module",
    project: "broken-nothing-there",
    code: "FF_LOAD_NOT_FOUND",
    says: [join(fixtures, "broken-nothing-there"), '"main"'],
  },
  {
    title: "a broken package.json",
    project: "broken-package-json",
    code: "FF_LOAD_PACKAGE_JSON",
    says: [join(fixtures, "broken-package-json/package.json"), "not valid JSON"],
  },
  {
    title: "a missing dependency, CommonJS",
    project: "broken-dependency",
    code: "FF_LOAD_DEPENDENCY",
    says: ['"a-package-nobody-has"', "package.json"],
  },
  {
    title: "a missing dependency, ESM",
    project: "broken-dependency",
    args: ["--source=index.mjs"],
    code: "FF_LOAD_DEPENDENCY",
    says: ['"a-package-nobody-has"', "package.json"],
  },
  {
    title: "a missing file of the project, ESM",
    project: "broken-dependency",
    args: ["--source=relative.mjs"],
    code: "FF_LOAD_DEPENDENCY",
    says: ["nowhere.mjs"],
  },
  {
    title: "a syntax error, CommonJS",
    project: "broken-syntax",
    code: "FF_LOAD_FAILED",
    says: ["broken-syntax/index.js", "missing ) after argument list"],
    stack: /broken-syntax\/index\.js:2/,
  },
  {
    title: "a syntax error, ESM",
    project: "broken-syntax",
    args: ["--source=index.mjs"],
    code: "FF_LOAD_FAILED",
    says: ["broken-syntax/index.mjs", "missing ) after argument list"],
  },
  {
    title: "ESM syntax in a CommonJS package",
    project: "broken-esm-in-commonjs",
    code: "FF_LOAD_FAILED",
    says: ["broken-esm-in-commonjs/index.js", "'export'"],
    stack: /broken-esm-in-commonjs\/index\.js:1/,
  },
  {
    title: "a module that throws an Error",
    project: "broken-while-loading",
    args: ["--source=error.js"],
    code: "FF_LOAD_FAILED",
    says: ["broken-while-loading/error.js", "no database today"],
    stack: /at connect .*broken-while-loading\/error\.js:2:9/,
  },
  {
    title: "an ES module that throws an Error",
    project: "broken-while-loading",
    args: ["--source=error.mjs"],
    code: "FF_LOAD_FAILED",
    says: ["broken-while-loading/error.mjs", "no database today"],
    stack: /at connect .*broken-while-loading\/error\.mjs:2:9/,
  },
  {
    title: "a module that throws a string",
    project: "broken-while-loading",
    args: ["--source=string.js"],
    code: "FF_LOAD_FAILED",
    says: ["a bare text"],
  },
  {
    title: "a module that throws null",
    project: "broken-while-loading",
    args: ["--source=null.js"],
    code: "FF_LOAD_FAILED",
    says: ["loading: null"],
  },
  {
    title: "an ES module that throws undefined",
    project: "broken-while-loading",
    args: ["--source=undefined.mjs"],
    code: "FF_LOAD_FAILED",
    says: ["loading: undefined"],
  },
  {
    title: "a module with a bug",
    project: "broken-while-loading",
    args: ["--source=type-error.js"],
    code: "FF_LOAD_FAILED",
    says: ["Cannot read properties of undefined (reading 'hello')"],
    stack: /broken-while-loading\/type-error\.js:1:/,
  },
  {
    title: "a target that is misspelt",
    project: "targets",
    args: ["--target=helo"],
    code: "FF_TARGET_NOT_FOUND",
    says: ['"helo"', 'offers "hello".', 'Did you mean "hello"?'],
  },
  {
    title: "a target nothing is near to",
    project: "targets",
    args: ["--target=something-else"],
    code: "FF_TARGET_NOT_FOUND",
    says: ['"something-else"', '"hello"', "--target"],
  },
  {
    title: "a dotted target whose end is missing",
    project: "targets",
    args: ["--target=greetings.german.moin"],
    code: "FF_TARGET_NOT_FOUND",
    says: ['"greetings.german.moin"'],
  },
  {
    title: "a dotted target through a number",
    project: "targets",
    args: ["--target=answer.toFixed"],
    code: "FF_TARGET_NOT_FOUND",
    says: ['"answer.toFixed"'],
  },
  {
    title: "a name every object inherits",
    project: "targets",
    args: ["--target=toString"],
    code: "FF_TARGET_NOT_FOUND",
    says: ['"toString"'],
  },
  {
    title: "an explicit target when an export is called function",
    project: "named-function",
    args: ["--target=missing"],
    code: "FF_TARGET_NOT_FOUND",
    says: ['"missing"', '"function"', '"other"'],
  },
  {
    title: "a target that is a number",
    project: "targets",
    args: ["--target=answer"],
    code: "FF_TARGET_NOT_FUNCTION",
    says: ['"answer"', "number"],
  },
  {
    title: "a target that is an object",
    project: "targets",
    args: ["--target=greetings"],
    code: "FF_TARGET_NOT_FUNCTION",
    says: ['"greetings"', "object"],
  },
  {
    title: "a target that is null",
    project: "targets",
    args: ["--target=nothing"],
    code: "FF_TARGET_NOT_FUNCTION",
    says: ['"nothing"', "null"],
  },
  {
    title: "a target that is a class",
    project: "targets",
    args: ["--target=Greeter"],
    code: "FF_TARGET_NOT_FUNCTION",
    says: ['"Greeter"', "class"],
  },
  {
    title: "no target, several functions",
    project: "express-targets",
    code: "FF_TARGET_AMBIGUOUS",
    says: ['"app", "handling", "router", "middleware"', "--target", "FUNCTION_TARGET"],
  },
  {
    title: "a function context that is no JSON",
    project: "hello",
    args: ["--target=tryAsync"],
    env: { FUNC_CONTEXT: '{\n  "runtime": "Async",\n}' },
    code: "FF_CONTEXT_SYNTAX",
    says: ["FUNC_CONTEXT", /line 3 column 1/],
  },
  {
    title: "a function context with wrong fields, all of them told",
    project: "hello",
    args: ["--target=tryAsync"],
    env: { FUNC_CONTEXT: '{"runtime":"cloud","outputs":{"out":{"componentType":"bindings.mqtt"}}}' },
    code: "FF_CONTEXT_INVALID",
    says: [
      "2 problems",
      'runtime must be "Knative" or "Async", not "cloud"',
      "outputs.out.componentName is missing",
    ],
  },
  ...["", "a-", "-a", "1a", "a.b", "a/b", "a b", "x".repeat(64)].map((name) => ({
    title: `a registered name that is not allowed: "${name}"`,
    project: "broken-registrations",
    env: { NAME: name },
    code: "FF_FUNCTION_NAME_INVALID",
    says: [`"${name}"`, "1 to 63"],
  })),
  {
    title: "a registered value that is no function",
    project: "broken-registrations",
    env: { NAME: "hello", NOT_A_FUNCTION: "text" },
    code: "FF_FUNCTION_NOT_CALLABLE",
    says: ['"hello"', "string"],
  },
];

test("what cannot be loaded is one error with code and next step, and exit code 1", async (t) => {
  for (const { title, project, args = [], env = {}, code, says, stack } of failures) {
    await t.test(title, async () => {
      const target =
        args.some((arg) => arg.startsWith("--target")) || code === "FF_TARGET_AMBIGUOUS"
          ? []
          : ["--target=hello"];

      const ending = await runFramework(["--port=0", ...target, ...args], { project, env });

      const line = onlyError(ending);
      const told = `${line.message} ${line.hint ?? ""}`;
      assert.equal(line.code, code);
      if (project === "broken-registrations")
        assert.match(line.place ?? "", /broken-registrations\/index\.js:\d+/);
      for (const part of says)
        assert.ok(typeof part === "string" ? told.includes(part) : part.test(told), `${part} in: ${told}`);
      if (stack) assert.match(line.stack ?? "", stack);
      assert.doesNotMatch(line.stack ?? "", /\/dist\//, "our own frames are left out");
    });
  }
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

test("--verbose shows the framework's own frames", async () => {
  const ending = await runFramework(["--source=error.js", "--verbose"], { project: "broken-while-loading" });

  assert.match(onlyError(ending).stack ?? "", /\/dist\/functions\/load\.js/);
});

test("process.exit while loading keeps its code", async () => {
  const ending = await runFramework(["--source=exit.js"], { project: "broken-while-loading" });

  assert.equal(ending.code, 3);
  assert.equal(ending.stderr, "");
});

function onlyError({ code, stdout, stderr }: Ending): LogLine {
  const [line, ...more] = logLines(stderr);
  assert.equal(code, 1, stderr);
  assert.equal(stdout, "");
  assert.deepEqual(more, []);
  assert.equal(line?.level, "error");
  return line as LogLine;
}

test("a top-level await that nothing can resolve is an error, not a silent end", async (t) => {
  const project = makeProject(t, {
    "index.mjs": "await new Promise(() => {});\nexport const hello = () => {};\n",
  });

  const { code, stderr } = await runFramework(["--target=hello", "--port=0"], { project });

  assert.equal(code, 1);
  assert.match(stderr, /FF_LOAD_UNSETTLED/);
});

test("an ES module without a type that throws is told with its own error", async (t) => {
  const project = makeProject(t, {
    "index.js": "export const hello = () => {};\nthrow new Error('no database');\n",
  });

  const { code, stderr } = await runFramework(["--target=hello", "--port=0"], { project });

  assert.equal(code, 1);
  assert.match(stderr, /no database/);
});

test("a module whose JSON.parse fails is loaded once", async (t) => {
  const project = makeProject(t, { "index.js": "console.log('loading'); JSON.parse('{');" });

  const { stdout } = await runFramework(["--target=hello", "--port=0"], { project });

  assert.equal(stdout, "loading\n");
});

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
