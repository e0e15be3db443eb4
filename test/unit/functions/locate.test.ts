import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { isEsModule, locateModule } from "../../../src/functions/locate";

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

const modules: [title: string, files: Record<string, string>, file: string, isEsm: boolean][] = [
  [".mjs", { "package.json": '{"type":"commonjs"}' }, "a.mjs", true],
  [".cjs", { "package.json": '{"type":"module"}' }, "a.cjs", false],
  [".js of type module", { "package.json": '{"type":"module"}' }, "a.js", true],
  [".js of type commonjs", { "package.json": '{"type":"commonjs"}' }, "a.js", false],
  [".js without type", { "package.json": "{}" }, "a.js", false],
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
