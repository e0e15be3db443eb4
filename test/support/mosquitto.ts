/** A real mosquitto on a free port, with its state in a temp folder. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const binary = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "mosquitto"].find(
  (path) => spawnSync(path, ["-h"]).error === undefined,
);

/** Reason to skip, or false. */
export const withoutMosquitto = binary === undefined ? "mosquitto is not installed" : false;

export interface Mosquitto {
  port: number;
  url: string;
  /** Ends the process; the port stays ours for `start`. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface MosquittoOptions {
  /** When given, nobody else may connect. */
  credentials?: { user: string; password: string };
  /** Keep sessions and messages over a restart. */
  persistent?: boolean;
  /** Messages that a client may have unacknowledged. Default: mosquitto's, 20. */
  inFlight?: number;
}

export async function startMosquitto({
  credentials,
  persistent = false,
  inFlight = 20,
}: MosquittoOptions = {}): Promise<Mosquitto> {
  const folder = mkdtempSync(join(tmpdir(), "mosquitto-"));
  const port = await freePort();
  const config = [`listener ${port} 127.0.0.1`, `allow_anonymous ${credentials === undefined}`, "user root"];
  config.push("max_queued_messages 0"); // by default it forgets what is above 1,000 for one client
  config.push(`max_inflight_messages ${inFlight}`);
  if (persistent)
    config.push(
      "persistence true",
      `persistence_location ${folder}/`,
      "autosave_interval 1",
      "autosave_on_changes true",
    );
  if (credentials) {
    const file = join(folder, "passwords");
    spawnSync("mosquitto_passwd", ["-b", "-c", file, credentials.user, credentials.password]);
    config.push(`password_file ${file}`);
  }
  writeFileSync(join(folder, "mosquitto.conf"), `${config.join("\n")}\n`);
  let child: ChildProcess | undefined;

  const broker: Mosquitto = {
    port,
    url: `tcp://127.0.0.1:${port}`,
    async start() {
      child = spawn(binary as string, ["-c", join(folder, "mosquitto.conf")], { stdio: "ignore" });
      await reachable(port);
    },
    async kill(signal = "SIGTERM") {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
    },
    async stop() {
      await broker.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await broker.start();
  return broker;
}

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

export async function reachable(port: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "error").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isOpen) return;
    await setTimeout(20);
  }
  throw new Error(`nobody listens on ${port}`);
}
