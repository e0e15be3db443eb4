// Processes this bench has started: none outlives it.
import { spawn } from "node:child_process";
import { createServer } from "node:net";

const children = new Set();

/** Starts a server of a row on a free port. It is up when it answers: see reply.mjs and start.mjs. */
export async function startServer(server, upstream) {
  const { PATH, HOME } = process.env;
  const port = await freePort();
  const spawned = performance.now();
  const { program = process.execPath, command, env } = server;
  const child = spawn(program, typeof command === "function" ? command({ port, upstream }) : command, {
    stdio: ["ignore", "ignore", server.logs ? "ignore" : "pipe"],
    env: {
      PATH,
      HOME,
      NODE_ENV: "production",
      ...(typeof env === "function" ? env({ upstream }) : env),
      PORT: String(port),
      ...(upstream && { UPSTREAM: upstream }),
    },
  });
  keep(child);
  const running = { ...server, child, port, pid: child.pid, spawned, said: "" };
  child.stderr?.on("data", (chunk) => {
    running.said = (running.said + chunk).slice(-2000);
  });
  return running;
}

/** Runs a program to its end and gives what it printed. */
export function runToEnd(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${command} ended with ${code}: ${output}`)),
    );
    keep(child);
  });
}

export function stopServer({ child }) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", resolve);
    child.kill("SIGKILL");
  });
}

export function stopEverything() {
  for (const child of children) child.kill("SIGKILL");
}

/** It ends with this bench. */
export function keep(child) {
  children.add(child);
  child.once("exit", () => children.delete(child));
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
