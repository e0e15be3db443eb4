/** One running process of a function. */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";

import { frameworkError } from "../core/errors";
import { describeError } from "../core/log";
import type { NewsItem, ServedFunction, StartFailure, WorkerMessage } from "./messages";

export interface InstanceSpec {
  /** Name of the function, as the user knows it. */
  function: string;
  /** Working folder of the process, and where the module is looked for. */
  folder: string;
  /** The whole environment of the process. */
  env: NodeJS.ProcessEnv;
  /** `tcp:HOST:PORT` or `unix:PATH`. Default: any port of loopback. */
  listen?: string;
  /** Seconds until it must be ready. Default 60. */
  startTimeout?: number;
}

export interface InstanceEvents {
  onNews(item: NewsItem): void;
  /** So many news were lost because they came too fast. */
  onDropped(count: number): void;
  /** Its own output, as it comes. */
  onOutput(stream: "stdout" | "stderr", chunk: Buffer): void;
  /** It ended after it was ready. `how` is "exit code 1" or "signal SIGKILL". */
  onExit(how: string): void;
}

export interface Instance {
  readonly pid: number;
  /** As the worker says: `tcp:127.0.0.1:40001` or `unix:PATH`. */
  readonly address: string;
  readonly functions: readonly ServedFunction[];
  /** Drains within the grace period (seconds), then SIGTERM, then SIGKILL. */
  stop(grace: number): Promise<void>;
}

/** A process that could not start; what it says of it is the user's to read. */
export class InstanceStartError extends Error {
  readonly failure: StartFailure;

  constructor(failure: StartFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Resolves when it is ready. Error: InstanceStartError; nothing of it is left running then. */
export function startInstance(
  spec: InstanceSpec,
  events: InstanceEvents,
  signal?: AbortSignal,
): Promise<Instance> {
  const { startTimeout = 60 } = spec;
  const child = fork(join(__dirname, "worker.js"), [], {
    cwd: spec.folder,
    env: { ...spec.env, FF_PARENT_PID: String(process.pid), FF_LISTEN: spec.listen ?? "tcp:127.0.0.1:0" },
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    serialization: "json",
  });
  child.stdout?.on("data", (chunk: Buffer) => events.onOutput("stdout", chunk));
  child.stderr?.on("data", (chunk: Buffer) => events.onOutput("stderr", chunk));

  return new Promise((resolve, reject) => {
    let isReady = false;
    const refuse = (failure: StartFailure) => {
      clearTimeout(deadline);
      child.kill("SIGKILL");
      reject(new InstanceStartError(failure));
    };
    const deadline = setTimeout(
      () =>
        refuse(
          describeError(
            frameworkError("FF_INSTANCE_START_TIMEOUT", { function: spec.function, seconds: startTimeout }),
          ),
        ),
      startTimeout * 1000,
    );
    signal?.addEventListener("abort", () => !isReady && refuse(ended(spec, "a stop")), { once: true });
    child.on("error", (err) => refuse(ended(spec, err.message)));
    child.on("message", (message: WorkerMessage) => {
      if (message.type === "failed") {
        const { type: _, ...failure } = message;
        return refuse(failure);
      }
      if (message.type === "news") {
        if (message.dropped) events.onDropped(message.dropped);
        return message.items.forEach(events.onNews);
      }
      isReady = true;
      clearTimeout(deadline);
      resolve(createHandle(child, message.address, message.functions));
    });
    child.on("close", (code, by) => {
      const how = by ? `signal ${by}` : `exit code ${code}`;
      if (isReady) events.onExit(how);
      else refuse(ended(spec, how));
    });
  });
}

function ended(spec: InstanceSpec, how: string): StartFailure {
  return describeError(frameworkError("FF_INSTANCE_EXITED", { function: spec.function, how }));
}

const termAfter = 1_000; // ms beyond the grace period
const killAfter = 2_000;

function createHandle(child: ChildProcess, address: string, functions: readonly ServedFunction[]): Instance {
  return {
    pid: child.pid ?? 0,
    address,
    functions,
    async stop(grace) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = new Promise((resolve) => child.once("close", resolve));
      const term = setTimeout(() => child.kill("SIGTERM"), grace * 1000 + termAfter);
      const kill = setTimeout(() => child.kill("SIGKILL"), grace * 1000 + killAfter);
      if (child.connected) child.send({ type: "drain", grace }, () => undefined);
      else child.kill("SIGTERM");
      await closed;
      clearTimeout(term);
      clearTimeout(kill);
    },
  };
}
