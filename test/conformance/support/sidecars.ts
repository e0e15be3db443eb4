/**
 * The sidecars that one suite is run against: ours always, and a real daprd when DAPRD names its binary, such as
 * `DAPRD=~/.dapr/bin/daprd npm test -- test/conformance`.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { startRuntime } from "../../../src/local/runtime";
import { freePort } from "../../support/mosquitto";

export interface Component {
  name: string;
  type: string;
  metadata: Record<string, string>;
}

export interface SidecarSpec {
  components: Component[];
  /** The port of its API, free. */
  port: number;
  /** Where the app listens already. */
  appPort: number;
  apiToken?: string;
  appToken?: string;
}

export interface RunningSidecar {
  stop(): Promise<void>;
}

export interface SidecarKind {
  name: string;
  /** What the app speaks. */
  appProtocol: "http" | "grpc";
  /** Reason to skip, or false. */
  skip: string | false;
  /** Resolves when messages are delivered. */
  start(spec: SidecarSpec): Promise<RunningSidecar>;
}

export const appId = "conformance";

const daprd = process.env.DAPRD;
const withoutDaprd = daprd === undefined ? "DAPRD names no daprd" : unusable(daprd);

export const sidecars: SidecarKind[] = [
  { name: "the local runtime", appProtocol: "http", skip: false, start: startLocal },
  { name: "daprd", appProtocol: "http", skip: withoutDaprd, start: (spec) => startDaprd(spec, "http") },
  {
    name: "daprd over gRPC",
    appProtocol: "grpc",
    skip: withoutDaprd,
    start: (spec) => startDaprd(spec, "grpc"),
  },
];

function unusable(path: string): string | false {
  const { status, stdout, error } = spawnSync(path, ["--version"], { encoding: "utf8" });
  if (status !== 0) return `DAPRD=${path} does not run: ${error?.message ?? `exit code ${status}`}`;
  console.log(`daprd ${stdout.trim()}`);
  return false;
}

// A failed delivery is repeated at once by both: in daprd by a resiliency policy, without which it would be lost.
const betweenAttempts = 50; // ms

async function startLocal({
  components,
  port,
  appPort,
  apiToken,
  appToken,
}: SidecarSpec): Promise<RunningSidecar> {
  const runtime = await startRuntime({
    function: "conformance",
    appId,
    components: components.map((one) => ({ ...one, version: "v1" })),
    port: { port, explicit: true, flag: "--dapr-port" },
    apiToken,
    appToken,
    backoff: { initial: betweenAttempts, factor: 1, max: betweenAttempts },
    onNotice: () => undefined,
  });
  await runtime.attach(`http://127.0.0.1:${appPort}`);
  return runtime;
}

async function startDaprd(
  { components, port, appPort, apiToken, appToken }: SidecarSpec,
  appProtocol: string,
): Promise<RunningSidecar> {
  const folder = mkdtempSync(join(tmpdir(), "daprd-"));
  for (const component of components) writeResource(folder, component.name, componentOf(component));
  writeResource(folder, "resiliency", resiliencyOf(components));
  const ports = { grpc: await freePort(), internal: await freePort() };
  const flags = {
    "app-id": appId,
    "app-port": appPort,
    "app-protocol": appProtocol,
    "dapr-http-port": port,
    "dapr-grpc-port": ports.grpc,
    "dapr-internal-grpc-port": ports.internal,
    "dapr-listen-addresses": "127.0.0.1",
    "enable-metrics": false,
    "resources-path": folder,
    "log-level": "warn",
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(daprd as string, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      ...(apiToken !== undefined && { DAPR_API_TOKEN: apiToken }),
      ...(appToken !== undefined && { APP_API_TOKEN: appToken }),
    },
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-20_000);
    });
  const running = {
    async stop() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await healthy(port, () => child.exitCode !== null || child.signalCode !== null);
  } catch (err) {
    await running.stop();
    throw new Error(`daprd is not ready: ${(err as Error).message}\n${log}`);
  }
  return running;
}

function writeResource(folder: string, name: string, resource: object): void {
  writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(resource));
}

function componentOf({ name, type, metadata }: Component): object {
  const pairs = Object.entries(metadata).map(([field, value]) => ({ name: field, value }));
  return {
    apiVersion: "dapr.io/v1alpha1",
    kind: "Component",
    metadata: { name },
    spec: { type, version: "v1", metadata: pairs },
  };
}

function resiliencyOf(components: Component[]): object {
  const readers = components.filter(({ type }) => /^(bindings|pubsub)\./.test(type));
  return {
    apiVersion: "dapr.io/v1alpha1",
    kind: "Resiliency",
    metadata: { name: "repeat" },
    spec: {
      policies: {
        retries: { repeat: { policy: "constant", duration: `${betweenAttempts}ms`, maxRetries: -1 } },
      },
      targets: {
        components: Object.fromEntries(readers.map(({ name }) => [name, { inbound: { retry: "repeat" } }])),
      },
    },
  };
}

async function healthy(port: number, hasEnded: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (hasEnded()) throw new Error("it has ended");
    const reply = await fetch(`http://127.0.0.1:${port}/v1.0/healthz`).catch(() => undefined);
    await reply?.arrayBuffer();
    if (reply?.status === 204) return;
    await pause(50); // it has no news of itself
  }
  throw new Error("it does not become healthy");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(killer);
}
