import assert from "node:assert/strict";
import { test } from "node:test";

import { exportTarget } from "../../../src/loading/package-exports";

const rows: [exports: unknown, subpath: string, target: string | undefined][] = [
  ["./main.mjs", ".", "./main.mjs"],
  [{ ".": "./main.mjs" }, ".", "./main.mjs"],
  [{ default: "./main.mjs" }, ".", "./main.mjs"],
  [{ ".": { import: "./main.mjs", require: "./main.cjs" } }, ".", "./main.mjs"],
  [{ ".": { require: "./main.cjs", import: "./main.mjs" } }, ".", "./main.cjs"],
  [{ ".": { browser: "./browser.js", node: { import: "./node.mjs" } } }, ".", "./node.mjs"],
  [{ ".": { types: "./main.d.ts", node: {}, default: "./main.js" } }, ".", "./main.js"],
  [[{ browser: "./browser.js" }, "./main.js"], ".", "./main.js"],
  [{ ".": "./main.js", "./register": "./register.mjs" }, "./register", "./register.mjs"],
  [{ ".": null }, ".", undefined],
  [{ "./other": "./other.js" }, ".", undefined],
  ["./main.js", "./other", undefined],
  ["../outside.js", ".", undefined],
  ["./lib/../../outside.js", ".", undefined],
  [undefined, ".", undefined],
  [7, ".", undefined],
];

test("where the exports of a package lead", () => {
  for (const [exports, subpath, target] of rows) {
    assert.equal(exportTarget(exports, subpath), target, `${JSON.stringify(exports)} ${subpath}`);
  }
});
