// What must be there before anything is measured: the load generator, the peers, our own build.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

import { readerError } from "./errors.mjs";

const bench = fileURLToPath(new URL("..", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

/** For these rows. */
export function provide(rows) {
  if (!existsSync("/proc/self/stat"))
    throw readerError("CPU time is read from /proc: the bench needs Linux.");
  provideCommand("wrk", "The load generator");
  if (rows.some(({ upstream }) => upstream))
    provideCommand("nginx", "The upstream of the hop, and the stand-in sidecar,");
  if (!arePeersInstalled()) run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], bench);
  if (!isBuilt()) run("npm", ["run", "build"], root);
}

// Debian's packages and the commands they bring.
function provideCommand(name, what) {
  if (hasCommand(name)) return;
  if (process.getuid?.() === 0 && hasCommand("apt-get")) installQuietly(name);
  if (!hasCommand(name)) throw readerError(`${what} is missing. To install it: apt-get install ${name}`);
}

// Debian starts a server as it installs it. The policy says no.
function installQuietly(name) {
  const policy = "/usr/sbin/policy-rc.d";
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    run("apt-get", ["update", "-qq"], root);
    run("apt-get", ["install", "-qq", "-y", "--no-install-recommends", name], root);
  } finally {
    if (isOurs) rmSync(policy);
  }
}

function hasCommand(command) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  return folders.some((folder) => existsSync(join(folder, command)));
}

// npm notes what it has installed in node_modules/.package-lock.json.
function arePeersInstalled() {
  const installed = packagesOf(join(bench, "node_modules/.package-lock.json"));
  const wanted = Object.entries(packagesOf(join(bench, "package-lock.json")));
  return wanted.every(
    ([path, { version, optional }]) => path === "" || optional || installed[path]?.version === version,
  );
}

function packagesOf(lock) {
  return existsSync(lock) ? JSON.parse(readFileSync(lock, "utf8")).packages : {};
}

function isBuilt() {
  const built = join(root, "dist/cli/main.js");
  if (!existsSync(built)) return false;
  const { mtimeMs } = statSync(built);
  return readdirSync(join(root, "src"), { recursive: true }).every(
    (file) => statSync(join(root, "src", file)).mtimeMs <= mtimeMs,
  );
}

// What npm and apt print goes to stderr: stdout may be the JSON document.
function run(command, args, cwd) {
  console.error(`${command} ${args.join(" ")}`);
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: ["ignore", 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  if (error) throw error;
  if (status !== 0) throw readerError(`"${command} ${args.join(" ")}" failed in ${cwd}.`);
}
