import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(__dirname, "../..");
const kinds = ["dependencies", "optionalDependencies", "devDependencies"];

// npm writes a package's deprecation into the lockfile, so no registry needs to be asked.
for (const folder of [".", "test/peers", "bench"]) {
  test(`no package that ${folder}/package.json names is deprecated`, () => {
    const { packages } = readJson(`${folder}/package-lock.json`);
    const names = kinds.flatMap((kind) => Object.keys(readJson(`${folder}/package.json`)[kind] ?? {}));

    const unlocked = names.filter((name) => packages[`node_modules/${name}`]?.version === undefined);
    const deprecated = names.filter((name) => packages[`node_modules/${name}`]?.deprecated !== undefined);

    assert.ok(names.length > 0);
    assert.deepEqual({ unlocked, deprecated }, { unlocked: [], deprecated: [] });
  });
}

function readJson(file: string) {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}
