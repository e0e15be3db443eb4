/** TypeScript as users write it, in packages of every type. Another Node is tested by running this file with it. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";

import { makeProject } from "../support/project";
import { logLines, runFramework, startFramework } from "./support/framework";
import { request } from "./support/http";

const cache = mkdtempSync(join(tmpdir(), "typescript-"));
after(() => rmSync(cache, { recursive: true, force: true }));
const env = { FF_CACHE_DIR: cache };

const packageTypes = ["module", "commonjs", undefined] as const;
type PackageType = (typeof packageTypes)[number];

interface Case {
  title: string;
  /** By path; the first is the entry. */
  files: Record<string, string>;
  text: string;
  types?: readonly PackageType[];
}

const answers = (expression: string) =>
  `export const hello = (_req: unknown, res: { send(text: string): void }): void => res.send(${expression});\n`;
const tsconfig = (compilerOptions: object) => JSON.stringify({ compilerOptions });
const notCommonJs = ["module", undefined] as const;
const loud = `function loud(_target: object, key: string, member: PropertyDescriptor) {
  const original = member.value;
  member.value = function () { return original.call(this).toUpperCase() + key; };
}\n`;

const cases: Case[] = [
  {
    title: "enum",
    files: { "index.ts": `enum Color { Red = "red", Blue = "blue" }\n${answers("Color.Blue")}` },
    text: "blue",
  },
  {
    title: "const enum, also of another file",
    files: {
      "index.ts": `import { Level } from "./level.ts";\nconst enum Size { Small = 3 }\n${answers("String(Size.Small + Level.High)")}`,
      "level.ts": "export const enum Level { Low, High }\n",
    },
    text: "4",
  },
  {
    title: "namespace",
    files: {
      "index.ts": `namespace Greetings { export const german: string = "hallo"; }\n${answers("Greetings.german")}`,
    },
    text: "hallo",
  },
  {
    title: "parameter properties",
    files: {
      "index.ts": `class Greeter { constructor(private readonly name: string) {} greet() { return this.name; } }\n${answers('new Greeter("ada").greet()')}`,
    },
    text: "ada",
  },
  {
    title: "legacy decorators, of members and parameters",
    files: {
      "index.ts": `${loud}const given: number[] = [];
        function note(_target: object, _key: string, index: number) { given.push(index); }
        class Greeter { @loud greet(_first?: string, @note _second?: string) { return "a"; } }\n${answers("new Greeter().greet() + given")}`,
      "tsconfig.json": tsconfig({ experimentalDecorators: true }),
    },
    text: "Agreet1",
  },
  {
    title: "standard decorators",
    files: {
      "index.ts": `function loud(method: () => string, { kind }: ClassMethodDecoratorContext) {
          return function (this: unknown) { return method.call(this).toUpperCase() + kind; };
        }
        class Greeter { @loud greet() { return "a"; } }\n${answers("new Greeter().greet()")}`,
    },
    text: "Amethod",
  },
  {
    title: "paths of tsconfig.json",
    files: {
      "index.ts": `import { name } from "@lib/name";\nimport { other } from "other";\n${answers("name + other")}`,
      "lib/name.ts": 'export const name: string = "by path, ";\n',
      "folder/index.ts": 'export const other: string = "by name";\n',
      "tsconfig.json": tsconfig({ paths: { "@lib/*": ["./lib/*"], other: ["./folder/index.ts"] } }),
    },
    text: "by path, by name",
  },
  {
    title: "a tsconfig.json with comments that extends another, whose paths count from its own folder",
    files: {
      "index.ts": `${loud}import { name } from "@lib/name";\nclass Greeter { @loud greet() { return name; } }\n${answers("new Greeter().greet()")}`,
      "lib/name.ts": 'export const name: string = "e";\n',
      "base/tsconfig.base.json":
        '{ // a comment\n "compilerOptions": { "experimentalDecorators": true, "paths": { "@lib/*": ["../lib/*"] }, }, }',
      "tsconfig.json": JSON.stringify({ extends: "./base/tsconfig.base.json" }),
    },
    text: "Egreet",
  },
  {
    title: "a tsconfig.json that extends one of a package",
    files: {
      "index.ts": `${loud}class Greeter { @loud greet() { return "x"; } }\n${answers("new Greeter().greet()")}`,
      "node_modules/@settings/base/package.json": "{}",
      "node_modules/@settings/base/tsconfig.json": tsconfig({ experimentalDecorators: true }),
      "tsconfig.json": JSON.stringify({ extends: "@settings/base/tsconfig.json" }),
    },
    text: "Xgreet",
  },
  {
    title: "a top-level await",
    files: { "index.ts": `const text: string = await Promise.resolve("awaited");\n${answers("text")}` },
    text: "awaited",
    types: notCommonJs,
  },
  {
    title: "a top-level await in an imported file",
    files: {
      "index.ts": `import { text } from "./below.js";\n${answers("text")}`,
      "below.ts": 'export const text: string = await Promise.resolve("awaited below");\n',
    },
    text: "awaited below",
    types: notCommonJs,
  },
  {
    title: "imports without ending, of a file and of a folder",
    files: {
      "index.ts": `import { name } from "./name";\nimport { deep } from "./deep";\n${answers("name + deep")}`,
      "name.ts": 'export const name: string = "no ending";\n',
      "deep/index.ts": 'export const deep: string = ", deep";\n',
    },
    text: "no ending, deep",
  },
  {
    title: ".mts that imports .mts and .cts under their JavaScript names",
    files: {
      "index.mts": `import { name } from "./name.mjs";\nimport { other } from "./other.cjs";\n${answers("name + other + typeof import.meta.url")}`,
      "name.mts": 'export const name: string = "mts, ";\n',
      "other.cts": 'export const other: string = "cts, ";\n',
    },
    text: "mts, cts, string",
  },
  {
    title: ".cts that requires .cts and .mts",
    files: {
      "index.cts": `const { name } = require("./name.cts");\nimport { other } from "./other.mjs";\n${answers("name + other")}`,
      "name.cts": 'const name: string = "cts, ";\nmodule.exports = { name };\n',
      "other.mts": "export const other: string = typeof import.meta.url;\n",
    },
    text: "cts, string",
  },
  {
    title: "import x = require() and export =",
    files: {
      "index.cts": `import path = require("node:path");\nimport lib = require("./lib.cjs");\n${answers("path.basename(lib.file)")}`,
      "lib.cts": 'const lib: { file: string } = { file: "/a/b" };\nexport = lib;\n',
    },
    text: "b",
  },
  {
    title: "import x = require() in an ES module",
    files: { "index.mts": `import path = require("node:path");\n${answers('path.basename("/a/b")')}` },
    text: "b",
  },
  {
    title: "imports of types, marked and unmarked",
    files: {
      "index.ts": `import type { Thing } from "./types.ts";
        import { type Other, value } from "./value.ts";
        import { OnlyType } from "./types.ts";
        const thing: Thing & Other & OnlyType = { name: value };\n${answers("thing.name")}`,
      "types.ts": "export interface Thing { name: string }\nexport interface OnlyType {}\n",
      "value.ts": 'export interface Other {}\nexport const value: string = "a value";\n',
    },
    text: "a value",
  },
  {
    title: "a .js name that means a .ts file",
    files: {
      "index.ts": `import { name } from "./name.js";\n${answers("name")}`,
      "name.ts": 'export const name: string = "js means ts";\n',
    },
    text: "js means ts",
  },
  {
    title: "import() of a file without ending, with names that it hands on",
    files: {
      "index.ts": `export const hello = async (_req: unknown, res: { send(text: string): void }) => {
          const { name, other, default: main } = await import("./name");
          res.send(name + other + main);
        };\n`,
      "name.ts":
        'export const name: string = "a name, ";\nexport * from "./other";\nexport default "a default";\n',
      "other.ts": 'export const other: string = "another, ";\n',
    },
    text: "a name, another, a default",
  },
  {
    title: "a file that is imported in two ways is one module",
    files: {
      "index.ts": `import { count } from "./count";
        export const hello = async (_req: unknown, res: { send(text: string): void }) => {
          const again = await import("./count.js");
          res.send(\`\${count()} \${again.count()}\`);
        };\n`,
      "count.ts": "let n: number = 0;\nexport const count = () => ++n;\n",
    },
    text: "1 2",
  },
  {
    title: "a cycle",
    files: {
      "index.ts": `import { b } from "./b";\nexport const a = () => "a";\n${answers("b()")}`,
      "b.ts": 'import { a } from "./index";\nexport const b = () => a() + "b";\n',
    },
    text: "ab",
  },
  {
    title: "dependencies of both kinds, and a file in a package named without its ending",
    files: {
      "index.ts": `import { a } from "old";\nimport { b } from "new";\nimport { c } from "old/lib/deep";\n${answers("a + b + c")}`,
      "node_modules/old/package.json": '{"main":"main.js"}',
      "node_modules/old/main.js": 'exports.a = "CommonJS, ";\n',
      "node_modules/old/lib/deep.js": 'exports.c = "deep";\n',
      "node_modules/new/package.json": '{"exports":"./main.mjs"}',
      "node_modules/new/main.mjs": 'export const b = "ESM, ";\n',
    },
    text: "CommonJS, ESM, deep",
  },
  {
    title: "import.meta",
    files: { "index.ts": answers("import.meta.url.slice(-9) + typeof import.meta.dirname") },
    text: "/index.tsstring",
    types: notCommonJs,
  },
  {
    title: "__filename and JSON",
    files: {
      "index.ts": `import data from "./data.json";\n${answers("__filename.slice(-9) + data.a")}`,
      "data.json": '{"a":" and JSON"}',
    },
    text: "/index.ts and JSON",
    types: ["commonjs", undefined],
  },
  {
    title: "a stack that leads to the line of the source",
    files: {
      "index.ts": `interface Long {\n  a: string;\n}\nenum Level { Low }\n${answers('/index\\.ts:\\d+/.exec(new Error("here").stack ?? "")?.[0] ?? "none"')}`,
    },
    text: "index.ts:5",
  },
];

const isAlone = ({ files, types }: Case) => types !== undefined || !("index.ts" in files);

test("what TypeScript has, in packages of every type", { concurrency: 3 }, async (t) => {
  const parts = cases.filter((one) => !isAlone(one));
  await Promise.all(
    packageTypes.map((type) =>
      t.test(type ?? "no type", async (t) => {
        const files = parts.flatMap((one, index) =>
          Object.entries(one.files).map(([path, text]) => [`part${index}/${path}`, text]),
        );
        const entry = `${parts.map((_, index) => `import { hello as part${index} } from "./part${index}";`).join("\n")}
          const parts = { ${parts.map((_, index) => `part${index}`)} };
          export const hello = (req: { path: string }, res: any) => (parts as any)[req.path.slice(1)](req, res);`;
        const project = makeProject(t, {
          ...Object.fromEntries(files),
          "index.ts": entry,
          ...packageOf(type),
        });
        const framework = await startFramework(["--target=hello"], { project, env });
        t.after(framework.stop);

        for (const [index, { title, text }] of parts.entries()) {
          assert.equal((await request(`${framework.url}/part${index}`)).text, text, title);
        }
        assert.deepEqual(framework.logs(), []);
      }),
    ),
  );
});

test("what depends on the entry, in packages of every type", { concurrency: 4 }, async (t) => {
  const rows = cases
    .filter(isAlone)
    .flatMap((one) => (one.types ?? packageTypes).map((type) => ({ ...one, type })));
  await Promise.all(
    rows.map(({ title, files, type, text }) =>
      t.test(`${title} (${type ?? "no type"})`, async (t) => {
        const project = makeProject(t, { ...files, ...packageOf(type) });
        const [entry] = Object.keys(files);
        const framework = await startFramework(["--target=hello", `--source=${entry}`], { project, env });
        t.after(framework.stop);

        const reply = await request(framework.url);

        assert.equal(reply.text, text);
        assert.deepEqual(framework.logs(), []);
      }),
    ),
  );
});

function packageOf(type: PackageType): Record<string, string> {
  return { "package.json": JSON.stringify({ type }) };
}

interface Broken {
  title: string;
  files: Record<string, string>;
  code: string;
  says: string;
  place: string;
}

const broken: Broken[] = [
  ...["index.ts", "index.mts", "index.cts"].map((entry) => ({
    title: `a syntax error in ${entry}`,
    files: { [entry]: "interface A {}\nconst a: string = ;\n" },
    code: "FF_LOAD_SYNTAX",
    says: 'Unexpected ";"',
    place: `${entry}:2:19`,
  })),
  {
    title: "a syntax error in an imported file",
    files: { "index.mts": 'import "./lib/other.mjs";\n', "lib/other.mts": "let a: = 1;\n" },
    code: "FF_LOAD_SYNTAX",
    says: "lib/other.mts",
    place: "lib/other.mts:1:8",
  },
  {
    title: "a syntax error in an imported JavaScript file",
    files: { "index.mts": "import './broken.mjs';\n", "broken.mjs": "\nconsole.log(1;\n" },
    code: "FF_LOAD_SYNTAX",
    says: "broken.mjs",
    place: "broken.mjs:2",
  },
  {
    title: "an export that is not there",
    files: {
      "index.mts": "interface A {}\nimport { b } from './b.mjs';\nb;\n",
      "b.mts": "export const a = 1;\n",
    },
    code: "FF_LOAD_SYNTAX",
    says: "'b'",
    place: "index.mts",
  },
  {
    title: "a tsconfig.json that extends a missing one",
    files: { "index.ts": "", "tsconfig.json": '{"extends":"./nowhere.json"}' },
    code: "FF_LOAD_TSCONFIG",
    says: "nowhere.json",
    place: "tsconfig.json",
  },
  {
    title: "a missing file",
    files: { "index.ts": 'import "./nowhere";\n' },
    code: "FF_LOAD_DEPENDENCY",
    says: "nowhere",
    place: "index.ts",
  },
  {
    title: "a missing package, ESM",
    files: { "index.mts": 'import "a-package-nobody-has";\n' },
    code: "FF_LOAD_DEPENDENCY",
    says: '"a-package-nobody-has"',
    place: "index.mts",
  },
];

for (const { title, files, code, says, place } of broken) {
  test(`what is wrong is told with its place: ${title}`, async (t) => {
    const project = makeProject(t, files);

    const ending = await runFramework(["--port=0", `--source=${Object.keys(files)[0]}`], { project, env });

    const [line] = logLines(ending.stderr);
    assert.equal(ending.code, 1);
    assert.equal(line?.code, code);
    assert.ok(line?.message.includes(says), line?.message);
    assert.ok(line?.place?.endsWith(join(project, place)), line?.place);
  });
}

test("an error while loading leads to the TypeScript line", async (t) => {
  const module =
    "interface A {}\n\nfunction connect(): never {\n  throw new Error('no database');\n}\nconnect();\n";
  for (const entry of ["index.cts", "index.mts"]) {
    const project = makeProject(t, { [entry]: module });

    const ending = await runFramework(["--port=0", `--source=${entry}`], { project, env });

    const [line] = logLines(ending.stderr);
    assert.equal(line?.code, "FF_LOAD_FAILED");
    assert.match(line?.stack ?? "", new RegExp(`at connect \\(.*${entry}:4:9\\)`));
  }
});

test("emitDecoratorMetadata is said to have no effect", async (t) => {
  const project = makeProject(t, {
    "index.ts": answers('"hello"'),
    "tsconfig.json": tsconfig({ experimentalDecorators: true, emitDecoratorMetadata: true }),
  });
  const framework = await startFramework(["--target=hello"], { project, env });
  t.after(framework.stop);

  await framework.says("emitDecoratorMetadata");

  assert.equal(framework.logs()[0]?.level, "warn");
});

test("a plugin may be TypeScript beside a module that is not", async (t) => {
  const project = makeProject(t, {
    "index.js": "exports.hello = (_req, res) => res.send(globalThis.plugin);",
    "plugins/loud.ts": `enum Name { Loud = "a plugin" }\n(globalThis as any).plugin = Name.Loud;\n`,
  });
  const framework = await startFramework(["--target=hello"], { project, env });
  t.after(framework.stop);

  assert.equal((await request(framework.url)).text, "a plugin");
});

test("--ts off transforms nothing", async (t) => {
  const project = makeProject(t, { "index.cts": `enum Color { Red = "red" }\n${answers("Color.Red")}` });

  for (const [args, env] of [
    [["--ts=off"], {}],
    [[], { FF_TS: "off" }],
  ] as const) {
    const ending = await runFramework(["--target=hello", "--port=0", "--source=index.cts", ...args], {
      project,
      env,
    });

    assert.equal(ending.code, 1);
    assert.match(logLines(ending.stderr)[0]?.code ?? "", /^FF_LOAD_/);
  }
});

test("a TypeScript loader that the user has preloaded stays in charge", async (t) => {
  const project = makeProject(t, {
    "index.cts": "not TypeScript at all",
    "other.cjs": `require.extensions[".cts"] = require.extensions[".ts"] = (module) =>
      module._compile("exports.hello = (req, res) => res.send('from the other loader')", module.filename);`,
  });
  const framework = await startFramework(["--target=hello", "--source=index.cts"], {
    project,
    env: { NODE_OPTIONS: `--require=${join(project, "other.cjs")}` },
  });
  t.after(framework.stop);

  const reply = await request(framework.url);

  assert.equal(reply.text, "from the other loader");
});

// What the module's process has loaded of the transformer, when it is asked.
const tellsTransformer = answers(
  'String(Object.keys(require.cache).some((file) => file.includes("esbuild/lib")))',
);

async function startsWithTransformer(t: TestContext, project: string, env: Record<string, string>) {
  const framework = await startFramework(["--target=hello", "--source=index.cts"], { project, env });
  t.after(framework.stop);
  return (await request(framework.url)).text === "true";
}

test("a file that has not changed is not transformed again", async (t) => {
  const project = makeProject(t, { "index.cts": tellsTransformer });
  const env = { FF_CACHE_DIR: join(project, "a/cache") };

  assert.equal(await startsWithTransformer(t, project, env), true);
  assert.equal(await startsWithTransformer(t, project, env), false);
  assert.equal(readdirSync(join(project, "a/cache/typescript")).length, 1);
  writeFileSync(join(project, "index.cts"), `${tellsTransformer}\nconst changed: boolean = true;\n`);
  assert.equal(await startsWithTransformer(t, project, env), true);
  assert.equal(readdirSync(join(project, "a/cache/typescript")).length, 1);
});

test("without FF_CACHE_DIR the cache is in the temp folder, unless others may write there", async (t) => {
  const project = makeProject(t, { "index.cts": tellsTransformer, "safe/x": "", "planted/x": "" });
  const [safe, planted] = [{ TMPDIR: join(project, "safe") }, { TMPDIR: join(project, "planted") }];
  const folder = `functions-framework-${process.getuid?.() ?? "cache"}`;
  mkdirSync(join(project, "planted", folder));
  chmodSync(join(project, "planted", folder), 0o777);

  assert.equal(await startsWithTransformer(t, project, safe), true);
  assert.equal(await startsWithTransformer(t, project, safe), false);
  assert.equal(await startsWithTransformer(t, project, planted), true);
  assert.equal(await startsWithTransformer(t, project, planted), true);
  assert.deepEqual(readdirSync(join(project, "planted", folder)), []);
});

test("a cache that cannot be written, or holds rubbish, is no error", async (t) => {
  const project = makeProject(t, { "index.cts": tellsTransformer, "a-file": "" });
  const cache = join(project, "cache");

  assert.equal(await startsWithTransformer(t, project, { FF_CACHE_DIR: join(project, "a-file") }), true);
  assert.equal(await startsWithTransformer(t, project, { FF_CACHE_DIR: cache }), true);
  for (const name of readdirSync(join(cache, "typescript")))
    writeFileSync(join(cache, "typescript", name), "{");
  assert.equal(await startsWithTransformer(t, project, { FF_CACHE_DIR: cache }), true);
  if (existsSync("/proc/self"))
    assert.equal(await startsWithTransformer(t, project, { FF_CACHE_DIR: "/proc/nowhere" }), true);
});

test("what cannot be put into the cache is not left beside it", async (t) => {
  const project = makeProject(t, { "index.cts": tellsTransformer });
  const cache = join(project, "cache/typescript");
  await startsWithTransformer(t, project, { FF_CACHE_DIR: join(project, "cache") });
  const [entry = ""] = readdirSync(cache);
  rmSync(join(cache, entry));
  mkdirSync(join(cache, entry)); // where the entry belongs is something that a file cannot replace

  await startsWithTransformer(t, project, { FF_CACHE_DIR: join(project, "cache") });

  assert.deepEqual(readdirSync(cache), [entry]);
});
