/** What cannot be loaded, and how that is told. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";

import { makeProject } from "../support/project";
import { type Ending, type LogLine, logLines, runFramework, spawnFramework } from "./support/framework";

const fixtures = resolve(__dirname, "../fixtures");

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
  /** Below the fixtures. */
  place?: string;
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
    says: ['"a-package-nobody-has"', "broken-dependency/index.js", "package.json"],
    place: "broken-dependency/index.js",
  },
  {
    title: "a missing dependency, ESM",
    project: "broken-dependency",
    args: ["--source=index.mjs"],
    code: "FF_LOAD_DEPENDENCY",
    says: ['"a-package-nobody-has"', "broken-dependency/index.mjs", "package.json"],
    place: "broken-dependency/index.mjs",
  },
  {
    title: "a missing file of the project, ESM",
    project: "broken-dependency",
    args: ["--source=relative.mjs"],
    code: "FF_LOAD_DEPENDENCY",
    says: [join(fixtures, "broken-dependency/nowhere.mjs"), "broken-dependency/relative.mjs", "its ending"],
    place: "broken-dependency/relative.mjs",
  },
  {
    title: "a missing file of a file, CommonJS",
    project: "broken-dependency",
    args: ["--source=deep.js"],
    code: "FF_LOAD_DEPENDENCY",
    says: [join(fixtures, "broken-dependency/lib/nowhere"), "broken-dependency/lib/needs.js", "its ending"],
    place: "broken-dependency/lib/needs.js",
  },
  {
    title: "a module of --import that is not there",
    project: "hello",
    args: ["--import=./nowhere.js"],
    code: "FF_LOAD_IMPORT",
    says: ['"./nowhere.js"', join(fixtures, "hello"), "--import", "FF_IMPORT"],
  },
  {
    title: "a module of --import that throws",
    project: "broken-while-loading",
    args: ["--source=error.mjs", "--import=./string.js"],
    code: "FF_LOAD_FAILED",
    says: ["broken-while-loading/string.js", "a bare text"],
  },
  {
    title: "a syntax error, CommonJS",
    project: "broken-syntax",
    code: "FF_LOAD_SYNTAX",
    says: ["broken-syntax/index.js", "missing ) after argument list"],
    place: "broken-syntax/index.js:2",
    stack: /broken-syntax\/index\.js:2/,
  },
  {
    title: "a syntax error, ESM",
    project: "broken-syntax",
    args: ["--source=index.mjs"],
    code: "FF_LOAD_SYNTAX",
    says: ["broken-syntax/index.mjs", "missing ) after argument list"],
    place: "broken-syntax/index.mjs:2",
  },
  {
    title: "a syntax error in a file that an ES module imports",
    project: "broken-syntax",
    args: ["--source=imports.mjs"],
    code: "FF_LOAD_SYNTAX",
    says: ["broken-syntax/index.mjs", "missing ) after argument list"],
    place: "broken-syntax/index.mjs:2",
  },
  {
    title: "an export that is not there",
    project: "broken-syntax",
    args: ["--source=no-such-export.mjs"],
    code: "FF_LOAD_SYNTAX",
    says: ["broken-syntax/no-such-export.mjs", "'nothing'"],
    place: "broken-syntax/no-such-export.mjs:1",
  },
  {
    title: "a text that running code cannot compile is no syntax error of the module",
    project: "broken-syntax",
    args: ["--source=compiles.js"],
    code: "FF_LOAD_FAILED",
    says: ["broken-syntax/compiles.js", "Unexpected"],
    stack: /broken-syntax\/compiles\.js:1/,
  },
  {
    title: "ESM syntax in a CommonJS package",
    project: "broken-esm-in-commonjs",
    code: "FF_LOAD_SYNTAX",
    says: ["broken-esm-in-commonjs/index.js", "'export'", '"type": "module"'],
    place: "broken-esm-in-commonjs/index.js:1",
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
  for (const { title, project, args = [], env = {}, code, says, stack, place } of failures) {
    await t.test(title, async () => {
      const target =
        args.some((arg) => arg.startsWith("--target")) || code === "FF_TARGET_AMBIGUOUS"
          ? []
          : ["--target=hello"];

      const ending = await runFramework(["--port=0", ...target, ...args], { project, env });

      const line = onlyError(ending);
      const told = `${line.message} ${line.hint ?? ""}`;
      assert.equal(line.code, code);
      for (const part of says)
        assert.ok(typeof part === "string" ? told.includes(part) : part.test(told), `${part} in: ${told}`);
      if (project === "broken-registrations")
        assert.match(line.place ?? "", /broken-registrations\/index\.js:\d+/);
      if (place) assert.equal(line.place, join(fixtures, place));
      if (stack) assert.match(line.stack ?? "", stack);
      assert.doesNotMatch(line.stack ?? "", /\/dist\//, "our own frames are left out");
    });
  }
});

test("--verbose shows the framework's own frames", async () => {
  const ending = await runFramework(["--source=error.js", "--verbose"], { project: "broken-while-loading" });

  assert.match(onlyError(ending).stack ?? "", /\/dist\/loading\//);
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

test("a signal while the module is loading ends with 0", async (t) => {
  const project = makeProject(t, {
    "index.mjs": "console.log('loading'); await new Promise(() => setInterval(() => {}, 1000));",
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const framework = spawnFramework(["--target=hello", "--port=0"], { project });
    t.after(framework.stop);
    await framework.says("loading");

    framework.kill(signal);

    assert.equal((await framework.ended()).code, 0);
  }
});

test("looking for the place of a syntax error runs nothing", async (t) => {
  const project = makeProject(t, {
    "index.mjs": "import './runs.mjs'; import './broken.mjs';",
    "runs.mjs": "console.log('running');",
    "broken.mjs": "console.log(1;",
  });

  const { stdout, stderr } = await runFramework(["--target=hello", "--port=0"], { project });

  assert.equal(stdout, "");
  assert.match(stderr, /FF_LOAD_SYNTAX.*broken\.mjs:1/s);
});
