import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { isEsModule, locateImport, locateModule } from "../../../src/loading/locate";

const located: [title: string, files: Record<string, string>, source: string, file: string][] = [
  ["a file", { "a.js": "" }, "a.js", "a.js"],
  ["a file without its ending", { "a.js": "" }, "a", "a.js"],
  ["a file of an ending of its own", { "a.mjs": "", "a.js": "" }, "a.mjs", "a.mjs"],
  ["a file beside a folder of that name", { "a.js": "", "a/index.js": "" }, "a", "a.js"],
  ["main", { "package.json": '{"main":"lib/b"}', "lib/b.js": "", "index.js": "" }, ".", "lib/b.js"],
  ["main that is a folder", { "package.json": '{"main":"lib"}', "lib/index.js": "" }, ".", "lib/index.js"],
  ["main that is .mjs", { "package.json": '{"main":"b.mjs"}', "b.mjs": "" }, ".", "b.mjs"],
  ["index.js", { "index.js": "", "function.js": "", "index.mjs": "" }, ".", "index.js"],
  [
    "index.js where main is missing",
    { "package.json": '{"main":"gone.js"}', "index.js": "" },
    ".",
    "index.js",
  ],
  ["function.js", { "function.js": "", "index.mjs": "" }, ".", "function.js"],
  [
    "function.js where main is missing",
    { "package.json": '{"main":"gone.js"}', "function.js": "" },
    ".",
    "function.js",
  ],
  ["index.mjs", { "index.mjs": "", "index.cjs": "" }, ".", "index.mjs"],
  ["index.cjs", { "index.cjs": "" }, ".", "index.cjs"],
  ["index.cjs beside index.json", { "index.json": "{}", "index.cjs": "" }, ".", "index.cjs"],
  ["a .ts file without its ending", { "a.ts": "" }, "a", "a.ts"],
  ["a .cts file of an ending of its own", { "a.cts": "", "a.js": "" }, "a.cts", "a.cts"],
  ["index.js before index.ts", { "index.ts": "", "index.js": "" }, ".", "index.js"],
  ["function.js before index.mts", { "index.mts": "", "function.js": "" }, ".", "function.js"],
  ["index.cjs before index.mts", { "index.mts": "", "index.cjs": "" }, ".", "index.cjs"],
  ["index.mts before index.cts", { "index.cts": "", "index.mts": "" }, ".", "index.mts"],
  ["index.cts before function.mjs", { "index.cts": "", "function.mjs": "" }, ".", "index.cts"],
  ["function.cts", { "function.cts": "" }, ".", "function.cts"],
  ["main that is .mts", { "package.json": '{"main":"lib/b.mts"}', "lib/b.mts": "" }, ".", "lib/b.mts"],
  ["main without its ending .mts", { "package.json": '{"main":"lib/b"}', "lib/b.mts": "" }, ".", "lib/b.mts"],
  ["exports", { "package.json": '{"exports":"./lib/b.mjs"}', "lib/b.mjs": "" }, ".", "lib/b.mjs"],
  [
    "exports by condition",
    { "package.json": '{"exports":{".":{"import":"./b.ts"}}}', "b.ts": "", "index.mjs": "" },
    ".",
    "b.ts",
  ],
  [
    "index.js before exports, as in the other frameworks",
    { "package.json": '{"exports":"./b.mjs"}', "b.mjs": "", "index.js": "" },
    ".",
    "index.js",
  ],
  [
    "index.mjs where exports names a missing file",
    { "package.json": '{"exports":"./gone.mjs"}', "index.mjs": "" },
    ".",
    "index.mjs",
  ],
];

test("where the module of a source is", (t) => {
  for (const [title, files, source, file] of located) {
    const folder = write(t, files);

    assert.equal(locateModule(join(folder, source)), join(folder, file), title);
  }
});

test("a source that leads nowhere names the absolute place", (t) => {
  const folder = write(t, { "index.json": "{}", "other.js": "" });

  for (const source of [folder, join(folder, "missing"), join(folder, "missing/deeper.js")]) {
    assert.throws(() => locateModule(source), {
      code: "FF_LOAD_NOT_FOUND",
      message: new RegExp(`"${source}"`),
    });
  }
});

test("a broken package.json is an error with its file, line and column", (t) => {
  const folder = write(t, { "package.json": '{"main":}', "index.js": "" });

  assert.throws(() => locateModule(folder), {
    code: "FF_LOAD_PACKAGE_JSON",
    place: { file: join(folder, "package.json"), line: 1, column: 9 },
  });
});

const imports: [title: string, files: Record<string, string>, name: string, file: string][] = [
  ["a relative path", { "lib/a.js": "" }, "./lib/a.js", "lib/a.js"],
  ["a path without its ending", { "lib/a.mts": "" }, "./lib/a", "lib/a.mts"],
  ["a file by its bare name", { "a.js": "", "node_modules/a.js/index.js": "" }, "a.js", "a.js"],
  ["a folder", { "lib/index.mjs": "" }, "./lib", "lib/index.mjs"],
  ["a package", { "node_modules/a/index.js": "" }, "a", "node_modules/a/index.js"],
  ["a part of a package", { "node_modules/@a/b/lib/c.js": "" }, "@a/b/lib/c", "node_modules/@a/b/lib/c.js"],
  [
    "a package for ES modules only",
    {
      "node_modules/@a/b/package.json": '{"exports":{".":{"import":"./m.mjs"},"./r":{"import":"./r.mjs"}}}',
      "node_modules/@a/b/r.mjs": "",
    },
    "@a/b/r",
    "node_modules/@a/b/r.mjs",
  ],
];

test("what --import names", (t) => {
  for (const [title, files, name, file] of imports) {
    const folder = write(t, files);

    assert.equal(locateImport(name, folder), join(folder, file), title);
  }
});

test("an import that leads nowhere names what was asked for, and the folder", (t) => {
  const folder = write(t, { "lib/other.js": "" });

  for (const name of ["./gone.js", "gone", "@gone/package", "./lib", "fs", ""]) {
    assert.throws(() => locateImport(name, folder), { code: "FF_LOAD_IMPORT" }, name);
  }
});

const modules: [title: string, files: Record<string, string>, file: string, isEsm: boolean][] = [
  [".mjs", { "package.json": '{"type":"commonjs"}' }, "a.mjs", true],
  [".cjs", { "package.json": '{"type":"module"}' }, "a.cjs", false],
  [".js of type module", { "package.json": '{"type":"module"}' }, "a.js", true],
  [".js of type commonjs", { "package.json": '{"type":"commonjs"}' }, "a.js", false],
  [".js without type", { "package.json": "{}" }, "a.js", false],
  [".mts", { "package.json": '{"type":"commonjs"}' }, "a.mts", true],
  [".cts", { "package.json": '{"type":"module"}' }, "a.cts", false],
  [".ts of type module", { "package.json": '{"type":"module"}' }, "a.ts", true],
  [".ts without type", { "package.json": "{}" }, "a.ts", false],
  ["a package.json further up", { "package.json": '{"type":"module"}' }, "deep/er/a.js", true],
  [
    "the nearest package.json decides",
    { "package.json": '{"type":"module"}', "deep/package.json": "{}" },
    "deep/er/a.js",
    false,
  ],
];

test("which files Node reads as ES modules by name or package", (t) => {
  for (const [title, files, file, isEsm] of modules) {
    const folder = write(t, files);

    assert.equal(isEsModule(join(folder, file)), isEsm, title);
  }
});

function write(t: { after(fn: () => void): void }, files: Record<string, string>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "locate-")));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
