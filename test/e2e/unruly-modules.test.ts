/** Modules that change the process they run in: the framework does not depend on what they change. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { request } from "./support/http";
import { startModule } from "./support/modules";

test("a module that changes the working folder still has its plugins", async (t) => {
  const plugin = `
    const { Plugin } = require("@openfunction/functions-framework");
    module.exports = class extends Plugin {
      constructor() { super("greeter"); }
      execPreHook(ctx) { ctx.req.greeting = "hello from the plugin"; }
    };`;
  const module = `
    process.chdir("elsewhere");
    exports.serve = (req, res) => res.send(req.greeting);`;
  const files = { "plugins/greeter.js": plugin, "elsewhere/README.md": "nothing" };
  const framework = await startModule(t, module, ["--target=serve"], { files });

  const reply = await request(framework.url);

  assert.equal(reply.text, "hello from the plugin");
});

test("a module that breaks stderr and the console loses lines, not answers", async (t) => {
  const module = `
    const broken = () => { throw new Error("nobody may write"); };
    process.stderr.write = broken;
    for (const name of ["log", "info", "warn", "error"]) console[name] = broken;
    exports.serve = (req) => {
      if (req.path === "/fails") throw new Error("no luck");
      return "well";
    };`;
  const framework = await startModule(t, module, ["--target=serve"]);

  const failed = await request(`${framework.url}/fails`);
  const next = await request(framework.url);
  const { code } = await framework.stop();

  assert.deepEqual([failed.status, failed.text], [500, "no luck"]);
  assert.equal(next.text, "well");
  assert.equal(code, 0);
});
