/** One function of a session: its sidecar, and what becomes of its process, which the supervisor owns. */
import { resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";

import { type FrameworkError, frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { describeError, type ErrorDescription, logSettings } from "../core/log";
import type { PortOptions, PortWish } from "../core/ports";
import { InstanceStartError } from "../instances/instance";
import type { FunctionSpec } from "../instances/spec";
import type { InstanceChange } from "../instances/status";
import { type Runtime, startRuntime } from "../local/runtime";
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
  /** The shell's environment. */
  env: NodeJS.ProcessEnv;
  /** Seconds. */
  gracePeriod: number;
  emit: Emit;
}

export interface FunctionRun {
  plan: FunctionPlan;
  url: string;
  /** Undefined for a function that uses no component. */
  runtime: Runtime | undefined;
  /** What the supervisor is to run. */
  spec: FunctionSpec;
  /** Resolves when its first process is ready. Error: InstanceStartError, when that did not come up. */
  ready: Promise<void>;
  /** The process that was ready last. */
  instance(): Pick<InstanceChange, "pid" | "functions"> | undefined;
  /** A process listens: deliveries go to it from now on. */
  attach(process: { instance: string; address: string }): Promise<void>;
  /** Deliveries wait; those in flight still have the sidecar for their sends. */
  detach(): void;
  noteChange(change: InstanceChange): void;
  noteOutput(stream: "stdout" | "stderr", bytes: Buffer): void;
  /** The sidecar ends. */
  close(): Promise<void>;
}

/** Starts the sidecar; the process is the supervisor's to start. Errors: FF_*. */
export async function prepareFunction(options: FunctionRunOptions): Promise<FunctionRun> {
  const { plan, front, gracePeriod, emit } = options;
  const runtime = plan.components.length > 0 ? await startSidecar(options) : undefined;
  const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  const first = createFirst();
  const attached = new Map<string, string>(); // address by instance; deliveries go to the last one
  const begun = new Map<string, number>();
  let current: InstanceChange | undefined;
  let ended: { how: string; at: number } | undefined;

  /** True when it was the one that served. */
  function leave(instance: string): boolean {
    const isLast = [...attached.keys()].at(-1) === instance;
    if (!attached.delete(instance)) return false;
    if (attached.size === 0) runtime?.detach();
    else if (isLast && runtime) background(runtime.attach([...attached.values()].at(-1) ?? ""));
    return attached.size === 0;
  }

  function noteReady(change: InstanceChange): void {
    const { instance, pid } = change;
    const { how, at } = ended ?? { how: restartReason, at: begun.get(instance) ?? performance.now() };
    begun.clear();
    if (current)
      emit("reload", { reason: how, files: [], pid: pid ?? 0, ms: performance.now() - at }, plan.name);
    current = change;
    ended = undefined;
    first.succeed();
  }

  return {
    plan,
    url: `${front.url}/${plan.name}`,
    runtime,
    spec: {
      name: plan.name,
      folder: plan.folder,
      env: environmentOf(plan, front.port, runtime),
      min: 1,
      max: 1,
      concurrency: requestsAtOnce,
      target: 1,
      startTimeout: 60,
      grace: gracePeriod,
      afterCrashLoop: "stop",
    },
    ready: first.settled,
    instance: () => current,
    async attach({ instance, address }) {
      await runtime?.attach(address);
      attached.delete(instance);
      attached.set(instance, address);
    },
    detach: () => runtime?.detach(),
    noteChange(change) {
      const { instance, state, error } = change;
      if (state === "ready") return noteReady(change);
      if (state === "starting") begun.set(instance, performance.now());
      if (leave(instance)) ended = { how: change.ended ?? error?.code ?? stopReason, at: performance.now() };
      if (state === "draining") first.fail(describeError(stoppedError(plan.name)));
      if (!error) return;
      if (!current) return first.fail(error); // told by whoever waits for it
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

function createFirst() {
  let succeed: () => void = () => undefined;
  let fail: (failure: ErrorDescription) => void = () => undefined;
  const settled = new Promise<void>((resolve, reject) => {
    succeed = resolve;
    fail = (failure) => reject(new InstanceStartError(failure));
  });
  settled.catch(() => undefined); // who waits for it may not have come yet
  return { settled, succeed, fail };
}

const stoppedError = (name: string) =>
  frameworkError("FF_INSTANCE_EXITED", { function: name, how: "a stop" });

function startSidecar({
  plan,
  front,
  daprPort,
  allowedHosts,
  onMoved,
  embeddedBroker,
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

/** The CR's params, then ours. */
function environmentOf({ env: own, folder }: FunctionPlan, port: number, runtime: Runtime | undefined) {
  return {
    ...own,
    FUNCTION_SOURCE: resolve(folder, own.FUNCTION_SOURCE ?? "."),
    PORT: String(port),
    APP_PROTOCOL: "http",
    ...(runtime && { DAPR_HOST: "127.0.0.1", DAPR_HTTP_PORT: String(runtime.port), DAPR_HTTP_ENDPOINT: "" }),
  };
}
