/** The packed package in TypeScript: compiled in every way of finding modules, and run. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";

import { createConsumer, pack, run } from "./support/consumer";
import { story, storyTests } from "./support/story";

const root = resolve(__dirname, "../..");
const compilers = {
  7: resolve(root, "node_modules/typescript/bin/tsc"),
  5: resolve(root, "test/peers/node_modules/typescript/bin/tsc"),
};
const common = "--strict --target es2022 --esModuleInterop --skipLibCheck --types node --outDir out".split(
  " ",
);

// TypeScript 7 has no node10 any more; there `testing` is found through typesVersions.
const rows: [version: 5 | 7, options: string, file: string, compiled: string][] = [
  [7, "--module node16", "functions.test.mts", "functions.test.mjs"],
  [7, "--module node16", "functions.test.cts", "functions.test.cjs"],
  [7, "--module nodenext", "functions.test.mts", "functions.test.mjs"],
  [7, "--module nodenext", "functions.test.cts", "functions.test.cjs"],
  [7, "--module commonjs --moduleResolution bundler", "functions.test.ts", "functions.test.js"],
  [5, "--module commonjs --moduleResolution node10", "functions.test.ts", "functions.test.js"],
  [5, "--module nodenext", "functions.test.mts", "functions.test.mjs"],
];

let packed: Awaited<ReturnType<typeof pack>>;

before(async () => {
  packed = await pack();
});
after(() => packed.remove());

describe("users write their functions in TypeScript", { concurrency: 2 }, () => {
  for (const [version, options, file, compiled] of rows) {
    test(`TypeScript ${version} with ${options}: ${file}`, async (t) => {
      const files = { [file]: story("node:test", "typescript") };
      const { folder, remove } = await createConsumer(packed.tarball, files, [
        "supertest",
        "@types/supertest",
      ]);
      t.after(remove);

      const build = await run(
        process.execPath,
        [compilers[version], ...common, ...options.split(" "), file],
        folder,
      );
      const result = await run(
        process.execPath,
        ["--test", "--test-reporter=tap", `out/${compiled}`],
        folder,
      );

      assert.equal(`${build.text}${build.code}`, "0");
      assert.equal(result.code, 0, result.text);
      assert.match(result.text, new RegExp(`^# pass ${storyTests}$`, "m"));
    });
  }
});
