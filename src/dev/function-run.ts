/** One function of a session: its sidecar, and what becomes of its process, which the supervisor owns. */
import { resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";

import { type FrameworkError, frameworkError } from "../core/errors";
import { describeError, type ErrorDescription, logSettings } from "../core/log";
import { findPort, type PortOptions, type PortWish } from "../core/ports";
import { InstanceStartError } from "../instances/instance";
import type { FunctionSpec } from "../instances/spec";
import type { InstanceChange } from "../instances/status";
import { type Runtime, startRuntime } from "../local/runtime";
import type { DevEvents, Emit } from "./events";
import type { FunctionPlan } from "./plan";

export interface FunctionRunOptions {
  plan: FunctionPlan;
  ports: { http: PortWish; dapr: PortWish };
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
  /** A process listens: its deliveries begin. */
  attach(): Promise<void>;
  /** Deliveries wait; those in flight still have the sidecar for their sends. */
  detach(): void;
  noteChange(change: InstanceChange): void;
  noteOutput(stream: "stdout" | "stderr", bytes: Buffer): void;
  /** The sidecar ends. */
  close(): Promise<void>;
}

/** Starts the sidecar and chooses the port; the process is the supervisor's to start. Nothing is left when it fails: FF_*. */
export async function prepareFunction(options: FunctionRunOptions): Promise<FunctionRun> {
  const { plan, ports, onMoved, gracePeriod, emit } = options;
  const runtime = plan.components.length > 0 ? await startSidecar(options) : undefined;
  const port = await findPort(ports.http, { onMoved }).catch(async (err) => {
    await runtime?.stop();
    throw err;
  });
  const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  const first = createFirst();
  let current: InstanceChange | undefined;
  let ended: { how: string; at: number } | undefined;

  return {
    plan,
    url: `http://127.0.0.1:${port}/`,
    runtime,
    spec: {
      name: plan.name,
      folder: plan.folder,
      env: environmentOf(plan, port, runtime),
      listen: `tcp:127.0.0.1:${port}`,
      min: 1,
      max: 1,
      startTimeout: 60,
      grace: gracePeriod,
      afterCrashLoop: "stop",
    },
    ready: first.settled,
    instance: () => current,
    attach: async () => runtime?.attach(`http://127.0.0.1:${port}`),
    detach: () => runtime?.detach(),
    noteChange(change) {
      const { state, error } = change;
      if (state === "ready") {
        current = change;
        if (ended) emit("reload", reloadOf(change, ended), plan.name);
        ended = undefined;
        return first.succeed();
      }
      runtime?.detach();
      if (state === "draining") {
        first.fail(describeError(stoppedError(plan.name)));
        if (current) ended ??= { how: "a stop that was asked for", at: performance.now() };
      }
      if (!error) return;
      if (!current) return first.fail(error); // told by whoever waits for it
      ended ??= { how: change.ended ?? error.code, at: performance.now() };
      emit("error", error, plan.name);
    },
    noteOutput: (stream, bytes) =>
      emit("log", { stream, text: decoders[stream].write(bytes), bytes }, plan.name),
    close: async () => runtime?.stop(),
  };
}

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

function reloadOf({ pid }: InstanceChange, { how, at }: { how: string; at: number }): DevEvents["reload"] {
  return { reason: how, files: [], pid: pid ?? 0, ms: performance.now() - at };
}

function startSidecar({
  plan,
  ports,
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
    port: ports.dapr,
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
