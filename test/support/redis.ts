/** A real redis-server on a free port, which keeps nothing. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { freePort, reachable } from "./mosquitto";

/** Reason to skip, or false. */
export const withoutRedis =
  spawnSync("redis-server", ["--version"]).error === undefined ? false : "redis-server is not installed";

export interface RedisServer {
  port: number;
  /** Ends the process; the port stays ours for `start`. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** The lines of redis-cli's answer. */
  ask(...command: string[]): string[];
}

export async function startRedis(
  t: TestContext,
  { password }: { password?: string } = {},
): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "redis-"));
  const port = await freePort();
  const secret = password ? ["--requirepass", password] : [];
  let child: ChildProcess | undefined;

  const server: RedisServer = {
    port,
    async start() {
      const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, ...secret];
      child = spawn("redis-server", args, { stdio: "ignore" });
      await reachable(port);
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    ask(...command) {
      const login = password ? ["-a", password, "--no-auth-warning"] : [];
      const { stdout } = spawnSync("redis-cli", ["-p", String(port), ...login, ...command], {
        encoding: "utf8",
      });
      return stdout.trimEnd().split("\n");
    },
  };
  t.after(async () => {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await server.start();
  return server;
}
