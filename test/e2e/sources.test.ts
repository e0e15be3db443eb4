/** A worker tells which of the user's files it has loaded, so that they can be watched. */
import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";

import type { FunctionSpec } from "../../src/instances/spec";
import { makeProject } from "../support/project";
import { startSupervisor } from "../support/supervisor";
import { withDeadline } from "../support/wait";

async function loaded(t: TestContext, root: string, spec: Partial<FunctionSpec> = {}, path?: string) {
  const files = new Map<string, string | null>();
  const missing = new Set<string>();
  const listeners = new Set<() => void>();
  const { supervisor, call, change } = startSupervisor(t, {
    onSources(_, sources) {
      for (const [file, fingerprint] of sources.files) files.set(relative(root, file), fingerprint);
      for (const file of sources.missing) missing.add(relative(root, file));
      for (const listener of listeners) listener();
    },
  });
  const env = { FF_WATCH: "true", ...spec.env };
  void supervisor.apply([{ name: "hello", folder: root, min: 1, max: 1, ...spec, env }]);
  await change(({ state }) => state === "ready" || state === "failed", "it is ready or has failed");
  if (path !== undefined) await call("hello", path);
  const later = (file: string) =>
    withDeadline(
      new Promise<void>((resolve) => {
        const look = () => files.has(file) && resolve();
        listeners.add(look);
        look();
      }),
      `${file} is told`,
    );
  const names = () => [...files].filter(([, print]) => print !== null).map(([file]) => file);
  return { names, missing, later };
}

const project = (t: TestContext, files: Record<string, string>) => realpathSync(makeProject(t, files));
const hello = "(req, res) => res.send('ok')";

const cases: [what: string, files: Record<string, string>, expected: string[], missing?: string[]][] = [
  [
    "CommonJS",
    {
      "index.js": `require('./lib/a'); require('pkg'); exports.hello = ${hello};`,
      "lib/a.js": "require('../data.json')",
      "data.json": "{}",
      "package.json": "{}",
      "node_modules/pkg/index.js": "",
    },
    ["data.json", "index.js", "lib/a.js", "package.json"],
  ],
  [
    "ES modules",
    {
      "index.mjs": `import './lib/a.mjs'; import './b.cjs'; import 'pkg'; export const hello = ${hello};`,
      "lib/a.mjs": "import data from '../data.json' with { type: 'json' }; await data;",
      "b.cjs": "require('./c.cjs')",
      "c.cjs": "",
      "data.json": "{}",
      "node_modules/pkg/index.js": "",
    },
    ["b.cjs", "c.cjs", "data.json", "index.mjs", "lib/a.mjs"],
  ],
  [
    "ES modules by package.json",
    {
      "index.js": `import './lib/a.js'; export const hello = ${hello};`,
      "lib/a.js": "export {};",
      "package.json": '{"type":"module"}',
    },
    ["index.js", "lib/a.js", "package.json"],
  ],
  [
    "ES syntax without a type",
    { "index.js": `import './lib/a.js'; export const hello = ${hello};`, "lib/a.js": "export {};" },
    ["index.js", "lib/a.js"],
  ],
  [
    "an ES module that is required",
    {
      "index.js": `require('./a.mjs'); exports.hello = ${hello};`,
      "a.mjs": "import './b.mjs'; export { c } from './c.mjs';",
      "b.mjs": "",
      "c.mjs": "export const c = 1;",
    },
    ["a.mjs", "b.mjs", "c.mjs", "index.js"],
  ],
  [
    "TypeScript with the tsconfig chain",
    {
      "index.ts": `import { a } from './lib/a'; export const hello = (req: object, res: any) => res.send(a);`,
      "lib/a.ts": "export const a: string = 'ok';",
      "tsconfig.json": '{"extends":"./base.json"}',
      "base.json": "{}",
      "package.json": "{}",
    },
    ["base.json", "index.ts", "lib/a.ts", "package.json", "tsconfig.json"],
  ],
  [
    "TypeScript as ES modules",
    {
      "index.ts":
        `import { a } from './lib/a.js'; export const hello = (req: object, res: any) => res.send(await a);`.replace(
          "(req",
          "async (req",
        ),
      "lib/a.ts": "export const a: string = 'ok';",
      "tsconfig.json": "{}",
      "package.json": '{"type":"module"}',
    },
    ["index.ts", "lib/a.ts", "package.json", "tsconfig.json"],
  ],
  [
    "a plugin",
    {
      "index.js": `exports.hello = ${hello};`,
      "plugins/one.js": "exports.One = class { name = 'one'; execPreHook() {} }",
    },
    ["index.js", "plugins/one.js"],
    ["plugins/*"],
  ],
  [
    "a syntax error in CommonJS",
    { "index.js": "require('./bad')", "bad.js": "const = 1" },
    ["bad.js", "index.js"],
  ],
  [
    "a syntax error in an ES module",
    { "index.mjs": "import './bad.mjs'", "bad.mjs": "const = 1" },
    ["bad.mjs", "index.mjs"],
  ],
  ["a syntax error in TypeScript", { "index.ts": "const: = 1" }, ["index.ts"]],
  ["a file that is missing, by require", { "index.js": "require('./gone/x')" }, ["index.js"], ["gone/x"]],
  ["a file that is missing, by import", { "index.mjs": "import './gone.mjs'" }, ["index.mjs"], ["gone.mjs"]],
  [
    "a package that is missing",
    { "index.js": "require('absent/sub')", "package.json": "{}" },
    ["index.js", "package.json"],
    ["node_modules/.package-lock.json", "node_modules/absent"],
  ],
  [
    "a package that is missing, by import",
    { "index.mjs": "import '@some/absent'", "package.json": "{}" },
    ["index.mjs", "package.json"],
    ["node_modules/.package-lock.json", "node_modules/@some/absent"],
  ],
  ["no module at all", { "package.json": '{"main":"main.js"}' }, ["package.json"], ["index", "main.js"]],
  ["a broken package.json", { "package.json": "{", "index.js": "" }, ["package.json"]],
  ["a broken tsconfig.json", { "index.ts": "", "tsconfig.json": "{" }, ["index.ts", "tsconfig.json"]],
  [
    "a module that ends the process",
    { "index.js": "require('./a'); process.exit(0)", "a.js": "" },
    ["a.js", "index.js"],
  ],
];
for (const [what, files, expected, missing = []] of cases) {
  test(`the files of ${what} are told`, async (t) => {
    const root = project(t, files);

    const { names, missing: absent } = await loaded(t, root, { startTimeout: 60, afterCrashLoop: "stop" });

    assert.deepEqual(
      names()
        .filter((file) => !file.startsWith("..")) // a package.json above the temp folder
        .sort(),
      expected,
    );
    for (const one of missing) assert.ok(absent.has(one), `${one} is not in ${[...absent]}`);
  });
}

test("files of a workspace package that is linked are the user's", async (t) => {
  const root = project(t, {
    "apps/one/index.js": `require('shared'); require('../other'); exports.hello = ${hello};`,
    "apps/other.js": "",
    "packages/shared/index.js": "",
    "packages/shared/package.json": "{}",
  });
  mkdirSync(join(root, "node_modules"));
  symlinkSync(join(root, "packages/shared"), join(root, "node_modules/shared"));

  const { names } = await loaded(t, root, { folder: join(root, "apps/one") });

  assert.deepEqual(names().sort(), [
    "apps/one/index.js",
    "apps/other.js",
    "packages/shared/index.js",
    "packages/shared/package.json",
  ]);
});

for (const [what, files, file] of [
  [
    "require",
    { "index.js": "exports.hello = (req, res) => res.send(require('./late'));", "late.js": "" },
    "late.js",
  ],
  [
    "import() in CommonJS",
    {
      "index.js": "exports.hello = async (req, res) => { await import('./late.mjs'); res.send('ok'); };",
      "late.mjs": "export {};",
    },
    "late.mjs",
  ],
  [
    "import() in an ES module",
    {
      "index.mjs":
        "export const hello = async (req, res) => { await import('./late.mjs'); res.send('ok'); };",
      "late.mjs": "export {};",
    },
    "late.mjs",
  ],
] as [string, Record<string, string>, string][]) {
  test(`a file that is loaded at the first call is told, by ${what}`, async (t) => {
    const { later, names } = await loaded(t, project(t, files), {}, "/");

    await later(file);

    assert.ok(names().includes(file));
  });
}

test("nothing is told by a process that is not watched", async (t) => {
  const root = project(t, { "index.js": `exports.hello = ${hello};` });

  const { names } = await loaded(t, root, { env: { FF_WATCH: "" } });

  assert.deepEqual(names(), []);
});
