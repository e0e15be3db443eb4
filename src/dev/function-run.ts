/** One function of a session: its sidecar, and what becomes of its process, which the supervisor owns. */
import { resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";

import type { FrameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { describeError, type ErrorDescription, logSettings } from "../core/log";
import type { PortOptions, PortWish } from "../core/ports";
import { readEnvFiles } from "../instances/env-files";
import { InstanceStartError } from "../instances/instance";
import type { Change } from "../instances/reloads";
import type { FunctionSpec } from "../instances/spec";
import type { InstanceChange } from "../instances/status";
import { type Redelivery, type Runtime, startRuntime } from "../local/runtime";
import type { Emit } from "./events";
import type { FunctionPlan } from "./plan";

export interface FunctionRunOptions {
  plan: FunctionPlan;
  /** The address in front of all functions. */
  front: { port: number; url: string };
  daprPort: PortWish;
  /** Names that a Host may say beside those of this machine. */
  allowedHosts: readonly string[] | undefined;
  onMoved: NonNullable<PortOptions["onMoved"]>;
  embeddedBroker: string | undefined;
  redelivery: Redelivery;
  /** The shell's environment. */
  env: NodeJS.ProcessEnv;
  /** Seconds. */
  gracePeriod: number;
  /** Files with `NAME=value` lines. */
  envFiles: readonly string[];
  /** Files that it is made of are watched. */
  watch: boolean;
  emit: Emit;
}

export interface FunctionRun {
  plan: FunctionPlan;
  url: string;
  /** Undefined for a function that uses no component. */
  runtime: Runtime | undefined;
  /** What the supervisor is to run. */
  readonly spec: FunctionSpec;
  /** Resolves when a process is ready for the first time. Error: InstanceStartError, when one did not come up. */
  ready: Promise<void>;
  /** What it says now: of a changed CR and changed env files. Error: FF_INSTANCE_ENV_FILE; nothing is changed then. */
  configure(plan: FunctionPlan): void;
  /** The process that was ready last. */
  instance(): Pick<InstanceChange, "pid" | "functions"> | undefined;
  /** A process listens: deliveries go to it from now on. */
  attach(process: { instance: string; address: string }): Promise<void>;
  /** Deliveries wait; those in flight still have the sidecar for their sends. */
  detach(): void;
  /** Deliveries wait for the next process, or until the returned function is called. */
  pause(): () => void;
  /** The next process is there because of this; call what is returned when it is known what became of it. */
  noteReload(change: Change): () => void;
  noteChange(change: InstanceChange): void;
  noteOutput(stream: "stdout" | "stderr", bytes: Buffer): void;
  /** The sidecar ends. */
  close(): Promise<void>;
}

/** Starts the sidecar; the process is the supervisor's to start. Errors: FF_*. */
export async function prepareFunction(options: FunctionRunOptions): Promise<FunctionRun> {
  const { plan, emit } = options;
  const runtime = plan.components.length > 0 ? await startSidecar(options) : undefined;
  let spec = await firstSpecOf(options, runtime);
  const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  const first = createFirst();
  const attached = new Map<string, string>(); // address by instance; deliveries go to the last one
  const begun = new Map<string, number>();
  let current: InstanceChange | undefined;
  let ended: { how: string; at: number } | undefined;
  let change: Change | undefined;
  let isPaused = false;

  /** True when it was the one that served. */
  function leave(instance: string): boolean {
    const isLast = [...attached.keys()].at(-1) === instance;
    if (!attached.delete(instance)) return false;
    if (attached.size === 0) runtime?.detach();
    else if (isLast && runtime) background(runtime.attach([...attached.values()].at(-1) ?? ""));
    return attached.size === 0;
  }

  function noteReady(ready: InstanceChange): void {
    const { instance, pid } = ready;
    const { how, at } = causeOf(change) ??
      ended ?? { how: restartReason, at: begun.get(instance) ?? performance.now() };
    const files = [...(change?.files ?? [])];
    begun.clear();
    if (current || change)
      emit("reload", { reason: how, files, pid: pid ?? 0, ms: performance.now() - at }, plan.name);
    current = ready;
    ended = undefined;
    change = undefined;
    first.succeed();
  }

  function resume(): void {
    const last = [...attached.values()].at(-1);
    if (isPaused && runtime && last !== undefined) background(runtime.attach(last));
    isPaused = false;
  }

  return {
    plan,
    url: `${options.front.url}/${plan.name}`,
    runtime,
    get spec() {
      return spec;
    },
    configure(planned) {
      spec = specOf({ ...options, plan: planned }, runtime);
    },
    ready: first.settled,
    instance: () => current,
    async attach({ instance, address }) {
      await runtime?.attach(address);
      isPaused = false;
      attached.delete(instance);
      attached.set(instance, address);
    },
    detach: () => runtime?.detach(),
    pause() {
      isPaused = true;
      runtime?.detach();
      return resume;
    },
    noteReload(one) {
      change = one;
      return () => {
        if (change === one) change = undefined;
      };
    },
    noteChange(told) {
      const { instance, state, error } = told;
      if (state === "ready") return noteReady(told);
      if (state === "starting") begun.set(instance, performance.now());
      if (leave(instance)) ended = { how: told.ended ?? error?.code ?? stopReason, at: performance.now() };
      if (!error) return;
      if (first.fail(error)) return; // told by whoever waits for it
      emit("error", error, plan.name);
    },
    noteOutput: (stream, bytes) =>
      emit("log", { stream, text: decoders[stream].write(bytes), bytes }, plan.name),
    close: async () => runtime?.stop(),
  };
}

// Less than the connections that the hop may have to one address.
const requestsAtOnce = 1_000;
const restartReason = "a restart that was asked for";
const stopReason = "a stop that was asked for";
const changeReason = "a change";

function causeOf(change: Change | undefined) {
  return change && { how: changeReason, at: change.seen - performance.timeOrigin };
}

async function firstSpecOf(options: FunctionRunOptions, runtime: Runtime | undefined): Promise<FunctionSpec> {
  try {
    return specOf(options, runtime);
  } catch (err) {
    await runtime?.stop();
    throw err;
  }
}

function specOf(options: FunctionRunOptions, runtime: Runtime | undefined): FunctionSpec {
  const { plan, gracePeriod, watch } = options;
  return {
    name: plan.name,
    folder: plan.folder,
    env: { ...environmentOf(options, runtime), ...(watch && { FF_WATCH: "true" }) },
    min: 1,
    max: 1,
    concurrency: requestsAtOnce,
    target: 1,
    startTimeout: 60,
    grace: gracePeriod,
    afterCrashLoop: "stop",
  };
}

function createFirst() {
  let isSettled = false;
  let succeed: () => void = () => undefined;
  let refuse: (err: Error) => void = () => undefined;
  const settled = new Promise<void>((resolve, reject) => {
    succeed = resolve;
    refuse = reject;
  });
  settled.catch(() => undefined); // who waits for it may not have come yet
  return {
    settled,
    succeed() {
      isSettled = true;
      succeed();
    },
    /** False when it was settled before. */
    fail(failure: ErrorDescription): boolean {
      const isFirst = !isSettled;
      isSettled = true;
      refuse(new InstanceStartError(failure));
      return isFirst;
    },
  };
}

function startSidecar({
  plan,
  front,
  daprPort,
  allowedHosts,
  onMoved,
  embeddedBroker,
  redelivery,
  env,
  emit,
}: FunctionRunOptions): Promise<Runtime> {
  const tell = (notice: FrameworkError | { recovered: string }) =>
    "recovered" in notice
      ? emit("notice", { text: notice.recovered }, plan.name)
      : emit("error", describeError(notice), plan.name);
  return startRuntime({
    function: plan.name,
    appId: plan.appId,
    components: plan.components,
    port: daprPort,
    appPort: front.port,
    allowedHosts,
    onMoved,
    embeddedBroker,
    redelivery,
    apiToken: env.DAPR_API_TOKEN || undefined,
    appToken: env.APP_API_TOKEN || undefined,
    onNotice: tell,
  });
}

/** What the environment of every function begins with: the shell's, then how `dev` writes its own lines. */
export function sharedEnvironment(shell: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { format, level, verbose } = logSettings();
  return { ...shell, FF_LOG_FORMAT: format, FF_LOG_LEVEL: level, FF_VERBOSE: String(verbose) };
}

/** The CR's params, then the env files, then ours. */
function environmentOf({ plan, front, envFiles }: FunctionRunOptions, runtime: Runtime | undefined) {
  const { name, folder } = plan;
  const own: NodeJS.ProcessEnv = {
    ...plan.env,
    ...readEnvFiles(envFiles, { folder, function: name }),
    ...contextIn(plan.env),
  };
  return {
    ...own,
    FUNCTION_SOURCE: resolve(folder, own.FUNCTION_SOURCE ?? "."),
    PORT: String(front.port),
    APP_PROTOCOL: "http",
    ...(runtime && { DAPR_HOST: "127.0.0.1", DAPR_HTTP_PORT: String(runtime.port), DAPR_HTTP_ENDPOINT: "" }),
  };
}

const contextIn = ({ FUNC_CONTEXT }: Record<string, string>) =>
  FUNC_CONTEXT !== undefined && { FUNC_CONTEXT };
