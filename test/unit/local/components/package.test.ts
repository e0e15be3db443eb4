/** Optional packages of components. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { findPackage } from "../../../../src/local/components/package";
import { makeProject } from "../../../support/project";

const spec = { name: "store", type: "state.redis", version: "v1", metadata: {} };

test("a package that is installed nowhere is an error that says what to install", () => {
  assert.throws(() => findPackage(spec, "left-behind-nowhere"), {
    code: "FF_COMPONENT_PACKAGE",
    message: /"store" of type "state\.redis" needs the package left-behind-nowhere/,
    hint: "npm install left-behind-nowhere",
  });
});

test("one of the user's project is found from its folder", (t) => {
  const project = makeProject(t, { "package.json": "{}" });
  const folder = join(project, "node_modules/only-in-the-project");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "index.js"), "module.exports = 5;");
  const before = process.cwd();
  process.chdir(project);
  t.after(() => process.chdir(before));

  assert.equal(findPackage(spec, "only-in-the-project")(), 5);
});
