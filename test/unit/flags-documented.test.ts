/** docs/command-line.md lists the flags of every command, with their environment twins and defaults, as core/flags has them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";

import { type Command, flagsOf } from "../../src/core/flags";

const page = readFileSync(resolve(__dirname, "../../docs/command-line.md"), "utf8");
const commands: Command[] = ["serve", "dev"];

/** The rows `| --flag, -f | ENV | default | meaning |` of one command's chapter, code quotes left out. */
function rowsOf(command: Command) {
  const chapter = page.split(/^## /m).find((text) => text.startsWith(`${command}\n`)) ?? "";
  const lines = chapter.split("\n").filter((line) => line.startsWith("| `--"));
  return lines.map((line) => {
    const [, flag = "", env = "", value = ""] = line.replaceAll("`", "").split("|");
    return { flag: flag.trim(), env: env.trim(), value: value.trim() };
  });
}

for (const command of commands) {
  test(`docs/command-line.md lists the flags of ${command} with their environment twins`, () => {
    const expected = flagsOf(command).map(([name, { alias, env }]) => ({
      flag: alias ? `--${name}, -${alias}` : `--${name}`,
      env: env ?? "none",
    }));

    const documented = rowsOf(command).map(({ flag, env }) => ({ flag, env }));

    const byName = (one: { flag: string }, other: { flag: string }) => one.flag.localeCompare(other.flag);
    assert.deepEqual(documented.sort(byName), expected.sort(byName));
  });

  test(`docs/command-line.md says the defaults of ${command}`, () => {
    const documented = new Map(rowsOf(command).map(({ flag, value }) => [flag.split(",")[0], value]));
    for (const [name, flag] of flagsOf(command)) {
      const value = documented.get(`--${name}`) ?? "";
      if (flag.default !== undefined) assert.deepEqual(flag.parse(value), flag.default, `--${name}`);
      else assert.notEqual(value, "", `--${name}`);
    }
  });
}
