/** The entry `./testing`, from an installed copy of the package, in every module system. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { createProject, installCopy, linkDependencies } from "./support/projects";

const story = `
  functions.http("hello", (req, res) => res.send("Hello, " + req.query.u));
  functions.cloudEvent("stored", (event) => ({ got: event.data }));
  const server = getTestServer("hello").listen(0);
  const events = getTestServer("stored").listen(0);
  const headers = { "ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0", "content-type": "application/json" };
  (async () => {
    const url = (one) => "http://127.0.0.1:" + one.address().port;
    console.log(await (await fetch(url(server) + "/?u=you")).text());
    console.log(await (await fetch(url(events), { method: "POST", headers, body: "[1]" })).text());
    console.log(typeof getFunction("hello"), getFunction("nobody"));
    try { getTestServer("nobody"); } catch (err) { console.log(err.code); }
    for (const one of [server, events]) { one.close(); one.closeAllConnections(); }
  })();`;
const told = 'Hello, you\n{"got":[1]}\nfunction undefined\nFF_TARGET_NOT_FOUND\n';

for (const [kind, file, imports] of [
  [
    "CommonJS",
    "test.cjs",
    `const functions = require("@openfunction/functions-framework");
     const { getFunction, getTestServer } = require("@openfunction/functions-framework/testing");`,
  ],
  [
    "ES modules",
    "test.mjs",
    `import * as functions from "@openfunction/functions-framework";
     import { getFunction, getTestServer } from "@openfunction/functions-framework/testing";`,
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
