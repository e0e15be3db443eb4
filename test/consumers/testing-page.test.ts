/** docs/testing.md: every snippet is a file of one project, and every command works in it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, test } from "node:test";

import type { Project } from "../e2e/support/projects";
import { createConsumer, pack, run } from "./support/consumer";

const page = readFileSync(resolve(__dirname, "../../docs/testing.md"), "utf8");
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({
  language: language as string,
  text: text as string,
}));
const commands = blocks
  .filter(({ language }) => language === "sh")
  .flatMap(({ text }) => text.trim().split("\n"));

let project: Project;

before(async () => {
  const packed = await pack();
  const files = blocks.filter(({ language }) => language !== "sh").map(({ text }) => [fileOf(text), text]);
  const packages = ["jest", "vitest", "supertest", ".bin"];
  project = await createConsumer(packed.tarball, Object.fromEntries(files), packages);
  await packed.remove();
});
after(() => project.remove());

for (const command of commands) {
  test(command, async () => {
    const [name = "", ...args] = command.split(" ");

    const { code, text } = await run(name, args, project.folder);

    assert.equal(code, 0, text);
  });
}

test("every test on the page is run by a command on the page", () => {
  const tests = [...page.matchAll(/^\/\/ (\S+\.test\.\w+)$/gm)].map(([, file]) => file);

  assert.deepEqual(
    tests.filter((file) => !commands.some((command) => command.endsWith(` ${file}`))),
    [],
  );
});

function fileOf(snippet: string): string {
  const file = /^\/\/ (\S+\.\w+)\n/.exec(snippet)?.[1];
  assert.ok(file, `The snippet begins with a comment that names its file:\n${snippet}`);
  return file;
}
