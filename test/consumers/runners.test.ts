/** The packed package in projects of users: test runners and module systems. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";

import { createConsumer, pack, run } from "./support/consumer";
import { type Modules, type Runner, story, storyTests } from "./support/story";

const peers = resolve(__dirname, "../peers/node_modules");
const jest = [resolve(peers, "jest/bin/jest.js"), "--json"];
const vitest = [resolve(peers, "vitest/vitest.mjs"), "run", "--reporter=json"];
const nodeTest = ["--test", "--test-reporter=tap"];

// Jest runs TypeScript through whatever its user chooses; this is the shortest way.
const transformer = `
const ts = require("typescript");
const compilerOptions = { module: "commonjs", target: "es2022", esModuleInterop: true };
exports.process = (text) => ({ code: ts.transpileModule(text, { compilerOptions }).outputText });`;

interface Row {
  runner: Runner;
  modules: Modules;
  file: string;
  args: string[];
  packages: string[];
  files?: Record<string, string>;
}

const rows: Row[] = [
  {
    runner: "jest",
    modules: "cjs",
    file: "functions.test.js",
    args: jest,
    packages: ["jest"],
    files: { "jest.config.js": "module.exports = { transform: {} };" },
  },
  {
    runner: "jest",
    modules: "typescript",
    file: "functions.test.ts",
    args: jest,
    packages: ["jest", "typescript"],
    files: {
      "transformer.js": transformer,
      "jest.config.js": 'module.exports = { transform: { "[.]ts$": "./transformer.js" } };',
    },
  },
  { runner: "vitest", modules: "esm", file: "functions.test.mjs", args: vitest, packages: ["vitest"] },
  { runner: "vitest", modules: "typescript", file: "functions.test.ts", args: vitest, packages: ["vitest"] },
  { runner: "node:test", modules: "cjs", file: "functions.test.cjs", args: nodeTest, packages: [] },
  { runner: "node:test", modules: "esm", file: "functions.test.mjs", args: nodeTest, packages: [] },
];

let packed: Awaited<ReturnType<typeof pack>>;

before(async () => {
  packed = await pack();
});
after(() => packed.remove());

describe("users test their functions with the packed package", { concurrency: 2 }, () => {
  for (const { runner, modules, file, args, packages, files } of rows) {
    test(`${runner}, ${modules}`, async (t) => {
      const all = { ...files, [file]: story(runner, modules) };
      const { folder, remove } = await createConsumer(packed.tarball, all, ["supertest", ...packages]);
      t.after(remove);

      const { code, text } = await run(process.execPath, [...args, file], folder);

      assert.equal(code, 0, text);
      assert.equal(passed(text), storyTests);
    });
  }
});

/** Jest and Vitest write one JSON object of the same form; node's lines are TAP. */
function passed(text: string): number {
  const tap = /^# pass (\d+)$/m.exec(text)?.[1];
  return tap === undefined ? JSON.parse(text).numPassedTests : Number(tap);
}
