/** One running process of a function. */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";

import { asFrameworkError, frameworkError } from "../core/errors";
import { describeError, type ErrorDescription } from "../core/log";
import type { ServedFunction } from "../serving/options";
import {
  isSharingMessage,
  type NewsItem,
  type ParentMessage,
  type SharingMessage,
  type SourceReport,
  type WorkerMessage,
} from "./messages";

export interface InstanceSpec {
  /** Name of the function, as the user knows it. */
  function: string;
  /** Working folder of the process, and where the module is looked for. */
  folder: string;
  /** The whole environment of the process. */
  env: NodeJS.ProcessEnv;
  /** `unix:PATH` or `tcp:HOST:PORT`; port 0 is any free one. */
  listen: string;
  /** Options of node itself. */
  execArgv?: readonly string[];
  /** Arguments of its own: flags of `serve`. */
  args?: readonly string[];
  /** Where its output goes: to `onOutput`, or to where ours goes. Default: both to `onOutput`. */
  output?: Record<"stdout" | "stderr", "pipe" | "inherit">;
  /** Seconds until it must be ready. Default 60. */
  startTimeout?: number;
}

export interface InstanceEvents {
  /** The process exists, and loads. */
  onSpawn?(pid: number): void;
  onNews(item: NewsItem): void;
  /** It has loaded files, or found some missing; also long after it is ready. Only of a process that is watched. */
  onSources?(sources: SourceReport): void;
  /** So many news were lost because they came too fast. */
  onDropped(count: number): void;
  /** What only workers say that share a port. */
  onSharing?(message: SharingMessage): void;
  /** The process is gone. */
  onExit?(code: number | null, signal: NodeJS.Signals | null): void;
  /** Its own output, as it comes; nothing more is read before a returned promise is settled. */
  onOutput(stream: "stdout" | "stderr", chunk: Buffer): Promise<unknown> | undefined;
  /** No more of it comes; that may be later than the end of the process. */
  onOutputEnd?(stream: "stdout" | "stderr"): void;
}

export interface Instance {
  readonly pid: number;
  /** As the worker says: `tcp:127.0.0.1:40001` or `unix:PATH`. */
  readonly address: string;
  readonly functions: readonly ServedFunction[];
  /** Resolves when the process is gone, to "exit code 1" or "signal SIGKILL". */
  readonly ended: Promise<string>;
  /** Does nothing when it is gone. */
  tell(message: ParentMessage, socket?: Socket): void;
  /** Drains within the grace period (seconds), then SIGTERM, then SIGKILL. */
  stop(grace: number): Promise<void>;
}

/** A process that could not start; what it says of it is the user's to read. */
export class InstanceStartError extends Error {
  readonly failure: ErrorDescription;
  /** The worker itself said that it cannot: another start would say the same. */
  readonly isFinal: boolean;

  constructor(failure: ErrorDescription, { isFinal = false } = {}) {
    super(failure.message);
    this.failure = failure;
    this.isFinal = isFinal;
  }
}

/** How a failure is told: a worker's own words, or the error's. */
export function failureOf(err: unknown): ErrorDescription {
  return err instanceof InstanceStartError ? err.failure : describeError(asFrameworkError(err));
}

/** Resolves when it is ready. Error: InstanceStartError; nothing of it is left running then. */
export async function startInstance(
  spec: InstanceSpec,
  events: InstanceEvents,
  signal?: AbortSignal,
  spawn: (spec: InstanceSpec) => ChildProcess = forkWorker,
): Promise<Instance> {
  signal?.throwIfAborted();
  const child = spawn(spec);
  for (const name of ["stdout", "stderr"] as const) {
    const stream = child[name];
    stream?.on("data", (chunk: Buffer) => {
      const room = events.onOutput(name, chunk);
      if (!room) return;
      stream.pause(); // nobody reads as fast as it writes
      void room.finally(() => stream.resume());
    });
    stream?.once("close", () => events.onOutputEnd?.(name));
  }
  if (child.pid !== undefined) events.onSpawn?.(child.pid);
  if (events.onExit) child.once("exit", events.onExit);
  const ended = endOf(child, spec.folder);
  try {
    const { address, functions } = await readyMessage(child, ended, spec, events, signal);
    return {
      pid: child.pid ?? 0,
      address,
      functions,
      ended,
      tell: (message, socket) => tell(child, message, socket),
      stop: (grace) => stop(child, ended, grace),
    };
  } catch (err) {
    await endLoading(child, ended);
    throw err;
  }
}

const loadingEnds = 1_000; // ms

/** What loads has nothing to finish, but may have something to tidy up; a module that blocks does neither. */
async function endLoading(child: ChildProcess, ended: Promise<string>): Promise<void> {
  const kill = setTimeout(() => child.kill("SIGKILL"), loadingEnds);
  child.kill("SIGTERM");
  await ended;
  clearTimeout(kill);
}

const piped = { stdout: "pipe", stderr: "pipe" } as const;

/** A process of its own, for this spec. */
export function forkWorker(
  spec: Omit<InstanceSpec, "listen" | "function">,
  env = environmentOf(spec),
): ChildProcess {
  const { folder, args = [], execArgv = [], output: { stdout, stderr } = piped } = spec;
  return fork(join(__dirname, "worker.js"), args, {
    cwd: folder,
    env,
    execArgv: [...execArgv],
    stdio: ["ignore", stdout, stderr, "ipc"],
    serialization: "json",
  });
}

/** What the spec says, and where to listen. */
export function environmentOf({
  env,
  listen,
}: Pick<InstanceSpec, "env"> & { listen?: string }): NodeJS.ProcessEnv {
  return { ...env, FF_PARENT_PID: String(process.pid), ...(listen !== undefined && { FF_LISTEN: listen }) };
}

const lastOutput = 200; // ms

/** The process is gone at `exit`. Its last output follows; a process that it has started itself may hold that open. */
function endOf(child: ChildProcess, folder: string): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", ({ message }) => {
      if (child.pid !== undefined) return;
      // It could not be started at all; of a folder that is gone Node says that node itself is.
      resolve(existsSync(folder) ? message : `${message}, as its folder ${folder} is not there,`);
    });
    child.once("exit", (code, by) => {
      const how = by ? `signal ${by}` : `exit code ${code}`;
      const late = setTimeout(() => resolve(how), lastOutput);
      child.once("close", () => {
        clearTimeout(late);
        resolve(how);
      });
      for (const stream of [child.stdout, child.stderr]) if (stream) closeWhenSilent(stream);
    });
  });
}

const restAtMost = 1024 * 1024; // bytes: more than a pipe holds
const restWithin = 30_000; // ms, for a reader of ours that does not read

// What the process has left in the pipe comes, and then it is closed, whoever else has it open.
function closeWhenSilent(stream: Readable): void {
  if (stream.closed) return;
  const since = performance.now();
  let seen = 0;
  let before = 0;
  stream.on("data", (chunk: Buffer) => {
    seen += chunk.length;
  });
  const look = () => {
    const isSilent = seen === before && !stream.isPaused();
    before = seen;
    if (isSilent || seen > restAtMost || performance.now() - since > restWithin) stream.destroy();
  };
  const timer = setInterval(() => setImmediate(look), lastOutput); // after it was read: we may have been busy
  stream.once("close", () => clearInterval(timer));
}

type ReadyMessage = Extract<WorkerMessage, { type: "ready" }>;

function readyMessage(
  child: ChildProcess,
  ended: Promise<string>,
  spec: InstanceSpec,
  events: InstanceEvents,
  signal: AbortSignal | undefined,
): Promise<ReadyMessage> {
  const { function: name, startTimeout = 60 } = spec;
  return new Promise<ReadyMessage>((resolve, reject) => {
    const refuse = (failure: ErrorDescription) => reject(new InstanceStartError(failure));
    const onAbort = () =>
      refuse(describeError(frameworkError("FF_INSTANCE_EXITED", { function: name, how: "a stop" })));
    const late = () =>
      refuse(
        describeError(frameworkError("FF_INSTANCE_START_TIMEOUT", { function: name, seconds: startTimeout })),
      );
    const deadline = setTimeout(late, startTimeout * 1000);
    signal?.addEventListener("abort", onAbort);
    const settle = () => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", onAbort);
    };
    void ended.then((how) => {
      settle();
      refuse(describeError(frameworkError("FF_INSTANCE_EXITED", { function: name, how })));
    });
    child.on("message", (message: WorkerMessage) => {
      if (!isWorkerMessage(message)) return; // the user's own process.send
      if (isSharingMessage(message)) return events.onSharing?.(message);
      if (message.type === "news") {
        if (message.dropped) events.onDropped(message.dropped);
        return message.items.forEach(events.onNews);
      }
      if (message.type === "sources") return events.onSources?.(message);
      settle();
      if (message.type === "ready") return resolve(message);
      const { type: _, ...failure } = message;
      reject(new InstanceStartError(failure, { isFinal: true }));
    });
  });
}

function isWorkerMessage(message: unknown): message is WorkerMessage {
  if (typeof message !== "object" || message === null) return false;
  if (isSharingMessage(message)) return true;
  const { type, address, functions, items, files, code } = message as Record<string, unknown>;
  if (type === "ready") return typeof address === "string" && Array.isArray(functions);
  if (type === "news") return Array.isArray(items);
  if (type === "sources") return Array.isArray(files);
  return type === "failed" && typeof code === "string";
}

// The socket stays open here, until the child says that it has it.
function tell(child: ChildProcess, message: ParentMessage, socket?: Socket): void {
  if (child.connected) child.send(message, socket, { keepOpen: true }, () => undefined);
}

const termAfter = 1_000; // ms beyond the grace period
const killAfter = 2_000;

async function stop(child: ChildProcess, ended: Promise<string>, grace: number): Promise<void> {
  const term = setTimeout(() => child.kill("SIGTERM"), grace * 1000 + termAfter);
  const kill = setTimeout(() => child.kill("SIGKILL"), grace * 1000 + killAfter);
  if (child.connected) tell(child, { type: "drain", grace });
  else child.kill("SIGTERM");
  await ended;
  clearTimeout(term);
  clearTimeout(kill);
}
