// Installs what only tests need: other frameworks and test runners, kept apart from what the package itself is built with.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = "test/peers";
const stamp = join(folder, "node_modules/.installed");

/** Quiet and quick when the lockfile is the installed one; to be called in the project's folder. */
export function providePeers() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, error } = spawnSync("npm", args, { cwd: folder, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) throw new Error(`"npm ${args.join(" ")}" failed in ${folder}.`);
  writeFileSync(stamp, wanted);
}
