/** docs/errors.md lists the catalogue: no code more, none less, each with its status. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

import { catalogue } from "../../src/core/error-catalogue";
import { documentedStatuses } from "../support/fuzz/statuses";

const root = resolve(__dirname, "../..");
const codes = Object.keys(catalogue).sort();
const rows = [
  ...readFileSync(join(root, "docs/errors.md"), "utf8").matchAll(/^\| `(FF_\w+)` \|([^|]*)\|/gm),
].map(([, code = "", answer = ""]) => ({ code, answer: answer.trim() }));

test("docs/errors.md has one row a code", () => {
  assert.deepEqual(rows.map(({ code }) => code).sort(), codes);
});

test("docs/errors.md says the HTTP status of each code, or an exit code, or nothing", () => {
  for (const { code, answer } of rows) {
    const { status } = catalogue[code as keyof typeof catalogue] as { status?: number };
    if (status !== undefined) assert.equal(answer, String(status), code);
    else assert.match(answer, /^(exit (1|16))?$/, code);
  }
});

test("docs/errors.md lists the status of each code among the statuses", () => {
  const statuses = documentedStatuses();
  for (const code of codes) {
    const { status } = catalogue[code as keyof typeof catalogue] as { status?: number };
    assert.ok(status === undefined || statuses.has(status), code);
  }
});

test("every code is FF_<AREA>_<WHAT>", () => {
  for (const code of codes) assert.match(code, /^FF(_[A-Z]+){2,}$/);
});

test("every code is used in src outside of the catalogue", () => {
  const sources = readdirSync(join(root, "src"), { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".ts") && file !== join("core", "error-catalogue.ts"))
    .map((file) => withoutComments(readFileSync(join(root, "src", file), "utf8")));

  const unused = codes.filter((code) => !sources.some((source) => source.includes(`"${code}"`)));

  assert.deepEqual(unused, []);
});

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}
