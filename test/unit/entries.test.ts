/** What the entries reach must work inside Jest, which has no `import()`. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

const src = resolve(__dirname, "../../src");

function reachedFrom(entry: string): string[] {
  const files = new Set([join(src, entry)]);
  for (const file of files) {
    for (const [, isType, specifier = ""] of statements(file)) {
      const path = `${resolve(dirname(file), specifier)}.ts`;
      if (!isType && existsSync(path)) files.add(path);
    }
  }
  return [...files];
}

function statements(file: string) {
  return readFileSync(file, "utf8").matchAll(/^(?:import|export)\s(type\s)?[^;]*?from "(\.[^"]+)";/gm);
}

for (const entry of ["index.ts", "testing.ts"]) {
  test(`nothing that ${entry} reaches uses import() or loads user code`, () => {
    const files = reachedFrom(entry);

    assert.ok(files.length > 3);
    assert.deepEqual(
      files.filter((file) =>
        /(?<!typeof )\bimport\(/.test(readFileSync(file, "utf8").replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "")),
      ),
      [],
    );
    assert.ok(!files.map((file) => relative(src, file)).includes(join("functions", "load.ts")));
  });
}
