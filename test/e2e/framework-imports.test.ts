/** User code that imports the framework, installed or not, under our name or Google's. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { makeProject } from "../support/project";
import { runFramework, startFramework } from "./support/framework";
import { request } from "./support/http";
import { createProject, installCopy } from "./support/projects";

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

const ours = "@openfunction/functions-framework";
const googles = "@google-cloud/functions-framework";
const register = (name: string) =>
  `functions.http("hello", (_req, res) => res.send("${name}, " + typeof testing.getFunction("hello")));`;

const absent: [title: string, files: Record<string, string>][] = [
  ...[ours, googles].flatMap((name): [string, Record<string, string>][] => [
    [
      `${name}, CommonJS`,
      {
        "index.js": `const functions = require("${name}"); const testing = require("${name}/testing"); ${register("served")}`,
      },
    ],
    [
      `${name}, ESM`,
      {
        "index.mjs": `import * as functions from "${name}"; import * as testing from "${name}/testing"; ${register("served")}`,
      },
    ],
    [
      `${name}, TypeScript`,
      {
        "index.ts": `import * as functions from "${name}"; import * as testing from "${name}/testing"; ${register("served").replace("_req, res", "_req: unknown, res: any")}`,
      },
    ],
    [
      `${name}, TypeScript as ES module`,
      {
        "index.mts": `import * as functions from "${name}"; import * as testing from "${name}/testing"; ${register("served").replace("_req, res", "_req: unknown, res: any")}`,
      },
    ],
    [
      `${name}, import() in an ES module`,
      {
        "index.mjs": `const functions = await import("${name}"); const testing = await import("${name}/testing"); ${register("served")}`,
      },
    ],
    [
      `${name}, in a folder below, ESM`,
      {
        "index.mjs": 'import "./lib/deep/functions.mjs";',
        "lib/deep/functions.mjs": `import * as functions from "${name}"; import * as testing from "${name}/testing"; ${register("served")}`,
      },
    ],
    [
      `${name}, in a folder below, CommonJS`,
      {
        "index.js": 'require("./lib/deep/functions");',
        "lib/deep/functions.js": `const functions = require("${name}"); const testing = require("${name}/testing"); ${register("served")}`,
      },
    ],
  ]),
];

test("a project without the framework gets the one that is running", { concurrency: 4 }, async (t) => {
  await Promise.all(
    absent.map(([title, files]) =>
      t.test(title, async (t) => {
        const project = makeProject(t, { ...files, "cache/x": "" });
        const framework = await startFramework([], { project, env: { FF_CACHE_DIR: `${project}/cache` } });
        t.after(framework.stop);

        const reply = await request(framework.url);

        assert.equal(reply.text, "served, function");
      }),
    ),
  );
});

const later: [title: string, files: Record<string, string>][] = [
  ["in the module itself", { "index.js": `const later = () => import("${googles}");` }],
  [
    "of a file that imports it",
    {
      "index.js": 'const later = () => import("./later.mjs");',
      "later.mjs": `export * from "${googles}";`,
    },
  ],
];

test("import() of a CommonJS function gets it as well", async (t) => {
  for (const [title, files] of later) {
    const project = makeProject(t, {
      ...files,
      "index.js": `${files["index.js"]}
        exports.hello = async (_req, res) => res.send(typeof (await later()).cloudEvent);`,
    });
    const framework = await startFramework(["--target=hello"], { project });
    t.after(framework.stop);

    assert.equal((await request(framework.url)).text, "function", title);
  }
});

test("a package of that name that is installed is taken, in the folder that has it", async (t) => {
  const project = makeProject(t, {
    "index.js": `exports.hello = (_req, res) => res.send(\`\${require("${googles}").name}, \${require("./lib/inner").name}\`);`,
    "lib/inner.js": `exports.name = require("${googles}").name;`,
    [`lib/node_modules/${googles}/index.js`]: 'exports.name = "the inner one";',
  });
  const framework = await startFramework(["--target=hello"], { project });
  t.after(framework.stop);

  assert.equal((await request(framework.url)).text, "undefined, the inner one");
});

test("another package that is missing is still missing", async (t) => {
  for (const [entry, text] of [
    ["index.js", `require("${googles}"); require("@google-cloud/nothing");`],
    ["index.mjs", `import "${googles}"; import "@google-cloud/nothing";`],
  ] as const) {
    const project = makeProject(t, { [entry]: text });

    const { stderr } = await runFramework(["--target=hello", "--port=0"], { project });

    assert.match(stderr, /FF_LOAD_DEPENDENCY.*@google-cloud\/nothing/s);
  }
});
