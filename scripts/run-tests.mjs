// What `npm test` and `npm run test:nodes` share: what tests need, and `node --test` on the files that were picked.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { providePeers } from "./peers.mjs";

// One row per server: the Debian package, and the command that shows that it is there.
const servers = [
  { debian: "mosquitto", command: "mosquitto" },
  { debian: "mosquitto-clients", command: "mosquitto_pub" },
  { debian: "redis-server", command: "redis-server" },
];

const noTests = ["fixtures", "peers"]; // folders of test/
const limits = ["--test", "--test-concurrency=2", "--test-timeout=120000"];
const reporter = ["--test-reporter=./scripts/test-reporter.mjs", "--test-reporter-destination=stdout"];

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

/** Installs the servers that tests talk to and the peers they compare with, and builds. */
export function prepare() {
  provideServers();
  providePeers();
  run("npm", ["run", "build"]);
}

/**
 * Runs the tests under a Node and returns its exit code. `args` as on the command line: flags go to node, the rest
 * picks files.
 */
export function runTests(node, args) {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const files = testFiles(args.filter((arg) => !arg.startsWith("-")));
  const path = [dirname(node), process.env.PATH].join(delimiter); // for tests that run npm or npx
  return spawn(node, ["--import", "tsx", ...limits, ...reporter, ...flags, ...files], {
    env: { ...process.env, PATH: path },
  });
}

/** `node --test` has no glob patterns before Node 21. */
function testFiles(filters) {
  const all = readdirSync("test")
    .filter((name) => !noTests.includes(name))
    .flatMap((name) => filesBelow(join("test", name)))
    .filter((file) => file.endsWith(".test.ts"))
    .sort();
  for (const filter of filters) {
    if (!all.some((file) => file.includes(filter))) stop(`No test file matches "${filter}".`);
  }
  return filters.length > 0 ? all.filter((file) => filters.some((filter) => file.includes(filter))) : all;
}

function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true }).map((file) => join(path, file));
}

function provideServers() {
  const missing = servers.filter(({ command }) => !isInstalled(command)).map(({ debian }) => debian);
  if (missing.length === 0) return;
  if (process.getuid?.() === 0 && isInstalled("apt-get")) installQuietly(missing);
  else console.error(`Some tests are skipped. To run them: apt-get install ${missing.join(" ")}`);
}

function isInstalled(command) {
  const path = (process.env.PATH ?? "").split(delimiter);
  return [...path, "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].some((folder) =>
    existsSync(join(folder, command)),
  );
}

function installQuietly(packages) {
  const options = { stdio: "inherit", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  // Debian starts a server as it installs it, on the port that a test may want. The policy says no.
  const policy = "/usr/sbin/policy-rc.d";
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    spawnSync("apt-get", ["update", "-qq"], options); // an old list may still do
    const { status } = spawnSync(
      "apt-get",
      ["install", "-qq", "-y", "--no-install-recommends", ...packages],
      options,
    );
    if (status !== 0)
      console.error(`apt-get could not install ${packages.join(" ")}: some tests are skipped.`);
  } finally {
    if (isOurs) rmSync(policy);
  }
}

function run(command, commandArgs) {
  const status = spawn(command, commandArgs);
  if (status !== 0) process.exit(status);
}

function spawn(command, commandArgs, options = {}) {
  const { status, error } = spawnSync(command, commandArgs, { stdio: "inherit", ...options });
  if (error) throw error;
  return status ?? 1;
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
