// `npm run test:nodes`: the tests under every other Node, which come as npm packages into a cache folder.
// `npm run test:nodes -- test/e2e/serve.test.ts`: arguments as in scripts/test.mjs.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { prepare, runTests } from "./run-tests.mjs";

const versions = [22, 24, 26];
const platforms = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];
const platform = `${process.platform}-${process.arch}`;

if (!platforms.includes(platform)) {
  console.error(`No npm package holds Node for ${platform}. There are some for ${platforms.join(", ")}.`);
  process.exit(1);
}

const nodes = versions.map(provide);
prepare();
const results = nodes.map((node) => {
  console.log(`\n# Node ${versionOf(node)}`);
  return { node, status: runTests(node, process.argv.slice(2)) };
});

console.log();
for (const { node, status } of results)
  console.log(`# Node ${versionOf(node)}: ${status === 0 ? "passed" : `failed with ${status}`}`);
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;

/** The path of a Node of this major version; the newest one when it is not there yet. */
function provide(version) {
  const folder = resolve(`node_modules/.cache/nodes/${version}`);
  const name = `node-${platform}`;
  const node = join(folder, "node_modules", name, "bin/node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  const args = [
    "install",
    "--prefix",
    folder,
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  const { status, error } = spawnSync("npm", [...args, `${name}@${version}`], { stdio: "inherit" });
  if (error) throw error;
  if (status !== 0 || !existsSync(node)) throw new Error(`npm could not install ${name}@${version}.`);
  return node;
}

function versionOf(node) {
  return spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
}
