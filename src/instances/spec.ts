/** What is to run: one function, as whoever configures it says. */
import { isDeepStrictEqual } from "node:util";

import { readEnvFiles } from "./env-files";
import type { InstanceSpec } from "./instance";
import type { AfterCrashLoop } from "./restart-rule";

/** Only name and folder are needed. Times are seconds. */
export interface FunctionSpec {
  name: string;
  /** Working folder of its processes, and where the module is looked for. */
  folder: string;
  /** Set in its processes, over what the supervisor's environment and the files say. */
  env?: NodeJS.ProcessEnv;
  /** Files with `NAME=value` lines, relative to the folder; later ones win. They are read at every apply. */
  envFile?: readonly string[];
  /** Where its processes listen: UNIX sockets, any port of loopback, or a port of its own, which allows one instance. */
  listen?: "unix" | "tcp" | `tcp:${string}:${number}`;
  /** MiB of JavaScript heap: node's --max-old-space-size. */
  memory?: number | undefined;
  /** Options of node itself. */
  nodeOptions?: readonly string[];
  /** Instances at least, and at most. */
  min?: number;
  max?: number;
  /** Requests at once that one instance may have; the others wait. */
  concurrency?: number;
  /** The part of `concurrency` at which the scaler aims. */
  target?: number;
  /** Without a request after which the last instance goes. */
  idle?: number;
  /** Until a process must be ready. */
  startTimeout?: number;
  /** Requests that may wait for an instance, and how long. */
  queue?: number;
  queueTimeout?: number;
  /** To finish what is in flight. */
  grace?: number;
  afterCrashLoop?: AfterCrashLoop;
}

/** What can change while processes run. */
export type FunctionLimits = Required<Omit<FunctionSpec, keyof ProcessFields>>;

type ProcessFields = Pick<
  FunctionSpec,
  "name" | "folder" | "env" | "envFile" | "listen" | "memory" | "nodeOptions"
>;

const defaults: FunctionLimits = {
  min: 0,
  max: 4,
  concurrency: 100,
  target: 0.7,
  idle: 300,
  startTimeout: 30,
  queue: 1_000,
  queueTimeout: 30,
  grace: 10,
  afterCrashLoop: "retry",
};

/** What a process is started with: a change of it needs a new process. */
export type ProcessSettings = Pick<InstanceSpec, "function" | "folder" | "env"> &
  Required<Pick<InstanceSpec, "execArgv">> & { listen: NonNullable<FunctionSpec["listen"]> };

export function limitsOf(spec: FunctionSpec): FunctionLimits {
  const rows = Object.entries(defaults).map(([name, value]) => [
    name,
    spec[name as keyof FunctionLimits] ?? value,
  ]);
  const limits = Object.fromEntries(rows) as unknown as FunctionLimits;
  const most = hasOwnPort(spec.listen) ? 1 : limits.max;
  return { ...limits, min: Math.min(limits.min, most), max: Math.min(limits.max, most) };
}

/** Environment: `base`, then the files, then the function's own. Error: FF_INSTANCE_ENV_FILE. */
export function processSettingsOf(spec: FunctionSpec, base: NodeJS.ProcessEnv): ProcessSettings {
  const { name, folder, env = {}, envFile = [], listen = "unix", memory, nodeOptions = [] } = spec;
  return {
    function: name,
    folder,
    env: { ...base, ...readEnvFiles(envFile, { folder, function: name }), ...env },
    execArgv: [...(memory === undefined ? [] : [`--max-old-space-size=${memory}`]), ...nodeOptions],
    listen: process.platform === "win32" && listen === "unix" ? "tcp" : listen,
  };
}

/** Two processes cannot listen there at once. */
export function hasOwnPort(listen: FunctionSpec["listen"]): boolean {
  return /:[1-9]\d*$/.test(listen ?? "");
}

export function isSameProcess(one: ProcessSettings, other: ProcessSettings): boolean {
  return isDeepStrictEqual(one, other);
}
