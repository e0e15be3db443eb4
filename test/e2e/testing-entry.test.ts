/** The entry `./testing`, from an installed copy of the package, in every module system. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { createProject, installCopy, linkDependencies } from "./support/projects";

const story = `
  functions.http("hello", (req, res) => res.send("Hello, " + req.query.u));
  functions.cloudEvent("stored", (event) => ({ got: event.data }));
  functions.event("legacy", (data, context) => ({ data, context }));
  const server = getTestServer("hello").listen(0);
  const events = getTestServer("stored").listen(0);
  const legacy = getTestServer("legacy").listen(0);
  const headers = { "ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0", "content-type": "application/json" };
  (async () => {
    const url = (one) => "http://127.0.0.1:" + one.address().port;
    console.log(await (await fetch(url(server) + "/?u=you")).text());
    console.log(await (await fetch(url(events), { method: "POST", headers, body: "[1]" })).text());
    const body = JSON.stringify({ data: 1, context: { eventId: "2" } });
    console.log(await (await fetch(url(legacy), { method: "POST", headers: { "content-type": "application/json" }, body })).text());
    console.log((await invoke("legacy", { data: 2, context: { eventId: "3" } })).text);
    console.log(typeof getFunction("hello"), getFunction("nobody"));
    try { getTestServer("nobody"); } catch (err) { console.log(err.code); }
    for (const one of [server, events, legacy]) { one.close(); one.closeAllConnections(); }
  })();`;
const told =
  'Hello, you\n{"got":[1]}\n{"data":1,"context":{"eventId":"2"}}\n{"data":2,"context":{"eventId":"3"}}\nfunction undefined\nFF_TARGET_NOT_FOUND\n';

for (const [kind, file, imports] of [
  [
    "CommonJS",
    "test.cjs",
    `const functions = require("@openfunction/functions-framework");
     const { getFunction, getTestServer, invoke } = require("@openfunction/functions-framework/testing");`,
  ],
  [
    "ES modules",
    "test.mjs",
    `import * as functions from "@openfunction/functions-framework";
     import { getFunction, getTestServer, invoke } from "@openfunction/functions-framework/testing";`,
  ],
] as const) {
  test(`functions are served to tests in ${kind}`, async (t) => {
    const project = await createProject({ [file]: imports + story });
    t.after(() => project.remove());
    await installCopy(project.folder);
    await linkDependencies(project.folder);

    const output = execFileSync(process.execPath, [file], {
      cwd: project.folder,
      encoding: "utf8",
      timeout: 20_000,
    });

    assert.equal(output, told);
  });
}

const typed = `
  import { cloudEvent, event, http, openfunction, type Context, type EventFunction, type EventFunctionWithCallback, type LegacyEvent, type Data, type LegacyCloudFunctionsContext, type CloudFunctionsContext, type OpenFunctionContext, type Request, type Response } from "@openfunction/functions-framework";
  import { getTestServer } from "@openfunction/functions-framework/testing";
  http("a", (req, res) => res.status(201).send(req.rawBody?.toString("utf8") ?? String(req.query.u)));
  http("b", (req: Request, res: Response, next) => next?.());
  cloudEvent<{ n: number }>("c", (event) => event.data?.n.toFixed());
  cloudEvent<{ n: number }>("d", (event, callback) => callback(null, event.data?.n));
  openfunction("e", async (ctx: OpenFunctionContext, data: string) => {
    const [first] = await ctx.send(data, "out", { metadata: { ttl: "1" } });
    return first?.status === "fulfilled" ? first.value.output : ctx.input?.topic;
  });
  event("f", (data: { n: number }, context) => ("eventType" in context ? data.n.toFixed() : undefined));
  event("g", (data, context: Context, callback) => callback(null, [data.any, context]));
  const legacy: EventFunction = (data: Data["data"], context) => [data, context];
  const withCallback: EventFunctionWithCallback = (_data, _context, callback) => callback();
  event("h", legacy);
  event("i", withCallback);
  const context: CloudFunctionsContext = { eventId: "1", resource: { service: "s", name: "n" } };
  const sent: LegacyEvent = { data: { n: 1 }, context };
  const old: LegacyCloudFunctionsContext[] = [context, sent];
  legacy(sent.data, old[0] as Context);
  getTestServer("a").close();`;

test("the types say what functions are given, in every way of finding modules", async (t) => {
  const kinds = ["nodenext", "node16", "commonjs --moduleResolution bundler"];
  const project = await createProject({ "user.mts": typed, "user.cts": typed });
  t.after(() => project.remove());
  await installCopy(project.folder);
  await linkDependencies(project.folder);
  const root = join(__dirname, "../..");
  await symlink(join(root, "node_modules/@types"), join(project.folder, "node_modules/@types"));

  for (const kind of kinds) {
    const options = `--noEmit --strict --skipLibCheck --target es2022 --types node --module ${kind} user.mts user.cts`;
    const tsc = join(root, "node_modules/.bin/tsc");
    const { status, stdout } = spawnSync(tsc, options.split(" "), { cwd: project.folder, encoding: "utf8" });

    assert.equal(`${kind}: ${stdout}${status}`, `${kind}: 0`);
  }
});
