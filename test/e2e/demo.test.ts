import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

test("the demo runs both samples and prints what came out", async () => {
  const root = join(__dirname, "../..");

  const { stdout } = await promisify(execFile)(process.execPath, ["scripts/demo.mjs"], {
    cwd: root,
    timeout: 60_000,
  });

  assert.match(stdout, /received from out: \{"msg":"hello"\}/);
  assert.match(stdout, /received from pub: \{.*"data":\{"msg":"hello"\}\}/);
});
