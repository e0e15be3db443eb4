/** Shell completion: what a shell gets at a Tab. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { runFramework } from "./support/framework";

const asked: [words: string[], offers: string[], not: string[]][] = [
  [[""], ["serve", "dev", "completion"], ["--port"]],
  [["--"], ["--target", "--health", "--signature-type"], ["--brokers", "dev"]],
  [["serve", "--"], ["--target"], ["--brokers"]],
  [["dev", "--"], ["--brokers", "--file"], ["--target"]],
  [["--signature-type", ""], ["http", "cloudevent", "event", "typed", "openfunction"], ["--port"]],
  [["dev", "--brokers", ""], ["embedded", "declared"], ["--port"]],
];

for (const [words, offers, not] of asked) {
  test(`completion offers what fits "functions-framework ${words.join(" ")}"`, async () => {
    const { code, stdout } = await runFramework(
      ["--get-yargs-completions", "functions-framework", ...words],
      {
        project: "hello",
      },
    );

    const offered = stdout.trim().split("\n");
    assert.equal(code, 0);
    assert.deepEqual(
      offers.filter((word) => !offered.includes(word)),
      [],
    );
    assert.deepEqual(
      not.filter((word) => offered.includes(word)),
      [],
    );
    assert.equal(new Set(offered).size, offered.length);
  });
}

test("the script of bash is one that bash takes", async () => {
  const { code, stdout } = await runFramework(["completion", "bash"], { project: "hello" });

  const registered = execFileSync("bash", ["-c", `${stdout}\ncomplete -p functions-framework`], {
    encoding: "utf8",
  });

  assert.equal(code, 0);
  assert.match(registered, /-F \S+ functions-framework/);
});

test("zsh has another script, and an unknown shell is an error that names the known ones", async () => {
  const zsh = await runFramework(["completion", "zsh"], { project: "hello" });
  const fish = await runFramework(["completion", "fish"], { project: "hello" });
  const help = await runFramework(["completion", "--help"], { project: "hello" });

  assert.match(zsh.stdout, /^#compdef functions-framework/);
  assert.equal(fish.code, 1);
  assert.match(fish.stderr, /FF_OPTION_UNKNOWN.*bash/s);
  assert.match(help.stdout, /^functions-framework completion \[bash\|zsh\]/);
});
