/** The folder `plugins/`: OpenFunction's plugin classes around every invocation. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";

import { startApp } from "../support/app";
import { deferred } from "../support/wait";
import { type Framework, startFramework } from "./support/framework";
import { postJson, request } from "./support/http";
import { asyncContext, makeUserProject, startModule } from "./support/modules";
import { installCopy } from "./support/projects";

const base = `const { Plugin } = require("@openfunction/functions-framework");`;

/** A plugin that tells when its hooks run. */
function telling(name: string, exported = `exports.${name.toUpperCase()}`): string {
  return `${exported} = class extends Plugin {
    constructor() { super("${name}", "v1"); }
    async execPreHook() { await null; console.log("pre ${name}"); }
    async execPostHook() { await null; console.log("post ${name}"); }
  };`;
}

const three = {
  "plugins/1.js": `${base} ${telling("c")}`,
  "plugins/2.js": `${base} ${telling("a")} ${telling("b")}`,
};

const functions = `
  const functions = require("@openfunction/functions-framework");
  const tell = () => { console.log("called"); return "x"; };
  exports.serve = tell;
  exports.handle = tell;
  functions.cloudEvent("event", tell);
  functions.typed("typed", tell);`;

function start(
  t: TestContext,
  files: Record<string, string>,
  {
    target = "serve",
    env = {},
    source = functions,
  }: { target?: string; env?: Record<string, string>; source?: string } = {},
) {
  return startModule(t, source, [`--target=${target}`], { files, env });
}

const knative = (more: object) => ({
  FUNC_CONTEXT: JSON.stringify({ name: "f", runtime: "Knative", ...more }),
});

/** One call, and what it must have written. */
async function assertTold(framework: Framework, lines: string[], path = "/"): Promise<void> {
  const before = framework.stdout.length;
  const attributes = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };
  const { status, text } = await postJson(framework.url + path, {}, attributes);
  assert.equal(status, 200, text);
  await framework.says(`\n${lines.join("\n")}\n`);
  assert.equal(framework.stdout.slice(before).trim(), lines.join("\n"));
}

const all = ["pre c", "pre a", "pre b", "called", "post c", "post a", "post b"];

const orders: [what: string, context: object, lines: string[]][] = [
  ["without lists all run, both times in the order of loading", {}, all],
  [
    "lists say which run and in which order",
    { prePlugins: ["b", "c"], postPlugins: ["a", "b"] },
    ["pre b", "pre c", "called", "post a", "post b"],
  ],
  [
    "one list says nothing of the other",
    { prePlugins: ["a"] },
    ["pre a", "called", "post c", "post a", "post b"],
  ],
  ["an empty list means none", { prePlugins: [], postPlugins: ["c"] }, ["called", "post c"]],
  ["two empty lists mean none at all", { prePlugins: [], postPlugins: [] }, ["called"]],
  ["a name may repeat", { prePlugins: ["a", "a"], postPlugins: [] }, ["pre a", "pre a", "called"]],
  [
    "names that nobody defines are left out",
    { prePlugins: ["nobody", "a"], postPlugins: ["constructor", "skywalking"] },
    ["pre a", "called"],
  ],
];

describe("plugins", { concurrency: 3 }, () => {
  for (const [what, context, lines] of orders) {
    test(what, async (t) => {
      const framework = await start(t, three, { env: knative(context) });

      await assertTold(framework, lines);
    });
  }

  for (const [target, path, env] of [
    ["event", "/", {}],
    ["typed", "/", {}],
    ["handle", "/", { FUNCTION_SIGNATURE_TYPE: "event" }],
    ["handle", "/", { FUNCTION_SIGNATURE_TYPE: "openfunction" }],
    ["handle", "/queue", asyncContext()],
  ] as [string, string, Record<string, string>][]) {
    test(`they run for every signature: ${target}${path} ${Object.values(env).join(" ").slice(0, 20)}`, async (t) => {
      const framework = await start(t, three, { target, env });

      await assertTold(framework, all, path);
    });
  }

  test("unknown names are told once at the start, with those there are; tracing's are known", async (t) => {
    const framework = await start(t, three, {
      env: knative({ prePlugins: ["nobody", "tracing", "a"], postPlugins: ["opentelemetry"] }),
    });
    for (let count = 0; count < 3; count++) await request(framework.url);

    await framework.says("There are");
    const [line, ...more] = framework.logs();
    assert.deepEqual(more, []);
    assert.equal(line?.level, "warn");
    assert.match(line?.message ?? "", /prePlugins names nobody,.*There are: c, a, b\./);
  });

  test("a hook that fails is told and stops nothing", async (t) => {
    const framework = await start(t, {
      ...three,
      "plugins/0.js": `${base} exports.Bad = class extends Plugin {
        constructor() { super("bad"); }
        execPreHook() { throw new Error("pre failed"); }
        async execPostHook() { throw null; }
      };`,
    });

    await assertTold(framework, all);
    await framework.says('"hook":"execPostHook"');
    const told = framework.logs() as unknown as Record<string, string>[];
    assert.deepEqual(
      told.map(({ message, plugin, hook }) => [message, plugin, hook]),
      [
        ["pre failed", "bad", "execPreHook"],
        ["null", "bad", "execPostHook"],
      ],
    );
    assert.match(told[0]?.stack ?? "", /plugins\/0\.js:\d+/);
  });

  test("bad files and classes are told and hide no others", async (t) => {
    const framework = await start(t, {
      ...three,
      "plugins/README.md": "no module",
      "plugins/data.json": "{broken",
      "plugins/types.d.ts": "export {};",
      "plugins/folder/inside.js": `throw new Error("not looked at");`,
      "plugins/0-syntax.js": "this is no JavaScript",
      "plugins/0-throws.js": `throw new Error("no plugin");`,
      "plugins/0-null.js": "module.exports = null;",
      "plugins/0-getter.js": `Object.defineProperty(exports, "x", { enumerable: true, get() { throw new Error("no getter"); } });`,
      "plugins/0-proto.js": `exports.odd = function () {}; exports.odd.prototype = null;`,
      "plugins/0-others.js": `exports.helper = () => 1; exports.Other = class {}; exports.text = "text";`,
      "plugins/3.js": `${base}
        exports.Blank = class extends Plugin { constructor() { super(" "); } };
        exports.Nameless = class { execPreHook() {} };
        exports.Throws = class extends Plugin { constructor() { throw new Error("no instance"); } };
        ${telling("d")}`,
    });

    await assertTold(framework, [
      "pre c",
      "pre a",
      "pre b",
      "pre d",
      "called",
      "post c",
      "post a",
      "post b",
      "post d",
    ]);
    await framework.says("no instance");
    const told = framework.logs().map(({ message }) => message);
    for (const part of [
      /0-syntax\.js|Unexpected/,
      /no plugin/,
      /no getter/,
      /A plugin needs a name/,
      /has no name/,
      /A plugin of 3\.js cannot be made: no instance/,
    ])
      assert.ok(
        told.some((message) => part.test(message)),
        `${part} in ${told.join("\n")}`,
      );
    assert.doesNotMatch(framework.stderr, /not looked at|README|data\.json/);
  });

  test("a missing folder is silent, as is a source that is a file", async (t) => {
    const without = await start(t, {});
    const project = await makeUserProject(t, { "index.js": functions, ...three });
    const file = await startFramework(["--target=serve", "--source=index.js"], { project });
    t.after(() => file.stop());

    for (const framework of [without, file]) {
      await assertTold(framework, ["called"]);
      assert.equal(framework.stderr, "");
    }
  });

  test("ES modules, default exports and classes as modules are found, each once", async (t) => {
    const framework = await start(t, {
      "plugins/1.mjs": `import { Plugin } from "@openfunction/functions-framework"; let B; let D; ${telling("b", "B")} ${telling("d", "D")} export { B, B as again }; export default D;`,
      "plugins/2.cjs": `${base} ${telling("a", "module.exports")}`,
    });

    await assertTold(framework, ["pre b", "pre d", "pre a", "called", "post b", "post d", "post a"]);
  });

  test("a plugin of another copy of the package works, and one without the base class too", async (t) => {
    const project = await makeUserProject(t, {
      "index.js": functions,
      "plugins/1.js": `${base} ${telling("a")}`,
      "plugins/2.js": `exports.Bare = class { name = "bare"; execPreHook() { console.log("pre bare"); } };`,
    });
    await installCopy(join(project, "plugins"));
    const framework = await startFramework(["--target=serve"], { project });
    t.after(() => framework.stop());

    await assertTold(framework, ["pre a", "pre bare", "called", "post a"]);
  });

  test("of two plugins with one name the later one counts, and it is told", async (t) => {
    const framework = await start(t, {
      "plugins/1.js": `${base} ${telling("a")}`,
      "plugins/2.js": `${base} exports.Other = class extends Plugin { constructor() { super("a"); } execPreHook() { console.log("pre other"); } };`,
    });

    await assertTold(framework, ["pre other", "called"]);
    await framework.says('The plugin \\"a\\" of 2.js replaces another');
  });

  test("they find each other, their members, and what the function threw", async (t) => {
    const framework = await start(
      t,
      {
        "plugins/1.js": `${base} exports.Memory = class extends Plugin {
          constructor() { super("memory", "v2"); this.state = { count: 0 }; }
          execPreHook(ctx, plugins) {
            this.state.count++;
            ctx.locals.names = Object.keys(plugins);
          }
          execPostHook(ctx, plugins) {
            const { error } = ctx;
            console.log(JSON.stringify({
              same: plugins.memory === this && ctx.getPlugin("memory") === this,
              nobody: ctx.getPlugin("nobody") === undefined && ctx.getPlugin("constructor") === undefined,
              count: ctx.getPlugin("memory").get("state.count"),
              missing: this.get("state.no.where") === undefined,
              version: this.version,
              names: ctx.locals.names,
              error: error === null ? "null" : error?.message,
              kinds: [typeof ctx.send, typeof ctx.log.info, typeof ctx.id],
            }));
          }
        };`,
      },
      {
        source: `
          exports.serve = (req) => { if (req.path === "/throws") throw new Error("no luck"); return "x"; };
          exports.handle = (ctx, { fails }) => { if (fails) throw new Error("no luck"); };`,
      },
    );

    await request(framework.url);
    const failed = await request(`${framework.url}/throws`);
    await framework.says('"error":"no luck"');

    assert.deepEqual([failed.status, failed.text], [500, "no luck"]);
    const told = framework.stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
    const common = {
      same: true,
      nobody: true,
      missing: true,
      version: "v2",
      names: ["memory"],
      kinds: ["function", "function", "string"],
    };
    assert.deepEqual(told, [
      { ...common, count: 1 },
      { ...common, count: 2, error: "no luck" },
    ]);
  });

  const changing = {
    "plugins/1.js": `${base} exports.Change = class extends Plugin {
      constructor() { super("change"); }
      execPostHook(ctx) {
        const how = ctx.error?.message ?? ctx.locals.how;
        if (how === "clear") ctx.error = undefined;
        if (how === "null") ctx.error = null;
        if (how === "replace") ctx.error = new Error("replaced");
      }
    };
    exports.Observe = class extends Plugin {
      constructor() { super("observe"); }
      execPostHook(ctx) { console.log("seen: " + ctx.error); }
    };`,
  };
  const failing = `
    const functions = require("@openfunction/functions-framework");
    const fail = (how) => { if (how) throw new Error(how); return "fine"; };
    exports.serve = (req, res) => res.send(fail(req.body?.how));
    exports.handle = (ctx, { how, late }) => { ctx.locals.how = late; return fail(how); };
    functions.cloudEvent("event", ({ data }) => fail(data.how));
    functions.typed("typed", ({ how }) => fail(how));`;

  for (const [target, path, env] of [
    ["serve", "/", {}],
    ["event", "/", {}],
    ["typed", "/", {}],
    ["handle", "/", { FUNCTION_SIGNATURE_TYPE: "openfunction" }],
    ["handle", "/queue", asyncContext()],
  ] as [string, string, Record<string, string>][]) {
    test(`a post hook may clear or replace the error: ${target}${path}`, async (t) => {
      const framework = await start(t, changing, { target, env, source: failing });
      const attributes = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };
      const ask = (data: object) => postJson(framework.url + path, data, attributes);

      for (const how of ["clear", "null"]) {
        const { status, body, headers } = await ask({ how });
        assert.deepEqual([status, body.length], [path === "/queue" ? 200 : 204, 0], how);
        assert.equal(headers["x-openfunction-status"], undefined);
      }
      await framework.says("seen: undefined\nseen: null\n"); // the next hook sees what the one before has made of it
      for (const [how, text] of [
        ["replace", "replaced"],
        ["stay", "stay"],
      ] as const) {
        const reply = await ask({ how });
        assert.equal(reply.status, 500, how);
        assert.match(reply.text, new RegExp(`^${text}$|"${text}"`));
        assert.match(reply.headers["x-openfunction-status"] as string, /^(?:crash|error)$/);
      }
      assert.equal((await ask({})).status, 200);
      assert.deepEqual(
        framework.logs().map(({ message }) => message),
        ["replaced", "stay"],
      );
    });
  }

  test("an error that a post hook puts on a good invocation is its failure", async (t) => {
    const framework = await start(t, changing, {
      target: "handle",
      source: failing,
      env: { FUNCTION_SIGNATURE_TYPE: "openfunction" },
    });

    const { status, text } = await postJson(framework.url, { late: "replace" });

    assert.deepEqual([status, text], [500, "replaced"]);
  });

  const outputs = { out: { componentName: "out", componentType: "bindings.mqtt3", operation: "create" } };
  const sender = {
    "plugins/1.js": `${base} exports.Audit = class extends Plugin {
      constructor() { super("audit"); }
      execPostHook(ctx) { ctx.send("seen", "out"); }
    };`,
  };

  test("what a plugin of an http function sends is awaited before the answer", async (t) => {
    const release = deferred();
    const sidecar = await startApp(() => release.promise.then(() => ({ status: 204 })));
    t.after(() => sidecar.stop());
    const framework = await start(t, sender, {
      env: { ...knative({ outputs }), DAPR_HTTP_PORT: String(sidecar.port) },
    });
    let isAnswered = false;

    const pending = request(framework.url).then((reply) => {
      isAnswered = true;
      return reply;
    });
    await sidecar.count("POST", "/v1.0/bindings/out", 1);
    await request(`${framework.url}/favicon.ico`); // a round trip in which the answer could have come
    const before = isAnswered;
    release.resolve();
    const reply = await pending;

    assert.equal(before, false);
    assert.deepEqual([reply.status, reply.text], [200, "x"]);
    assert.equal(JSON.parse(sidecar.calls[0]?.body ?? "").data, "seen");
  });

  for (const [target, env] of [
    ["serve", {}],
    ["event", {}],
    ["typed", {}],
    ["handle", { FUNCTION_SIGNATURE_TYPE: "openfunction" }],
  ] as [string, Record<string, string>][]) {
    test(`a send of a plugin that fails is a failure of the invocation: ${target}`, async (t) => {
      const sidecar = await startApp(() => ({ status: 500, body: { errorCode: "ERR_NO", message: "no" } }));
      t.after(() => sidecar.stop());
      const framework = await start(t, sender, {
        target,
        env: { ...env, ...knative({ outputs }), DAPR_HTTP_PORT: String(sidecar.port) },
      });

      const attributes = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };
      const { status, text } = await postJson(framework.url, {}, attributes);

      assert.equal(status, 500);
      assert.match(text, /^Sending failed: output "out"/);
    });
  }

  test("hooks of functions.use are around the plugins", async (t) => {
    const framework = await start(t, three, {
      source: `${functions}
        functions.use(async (invocation, next) => {
          console.log("hook before");
          const value = await next();
          console.log("hook after");
          return value;
        });`,
      env: knative({ prePlugins: ["a"], postPlugins: ["a"] }),
    });

    await assertTold(framework, ["hook before", "pre a", "called", "post a", "hook after"]);
  });
});
