/** One function of a session: its sidecar, its process, and a new process when that one ends. */
import { resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";

import { createBackoff } from "../core/backoff";
import { asFrameworkError, type FrameworkError, frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { describeError, type ErrorDescription, log, logSettings } from "../core/log";
import { findPort, type PortOptions, type PortWish } from "../core/ports";
import { type Instance, InstanceStartError, startInstance } from "../instances/instance";
import { type Runtime, startRuntime } from "../local/runtime";
import { type NewsItem, publishItem } from "../telemetry/channels";
import type { Emit } from "./events";
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
  /** Settled when there is room for more output; undefined when there is room now. */
  room: () => Promise<unknown> | undefined;
  /** Stops it, while it starts too. */
  signal: AbortSignal;
}

export interface FunctionRun {
  plan: FunctionPlan;
  url: string;
  /** Undefined for a function that uses no component. */
  runtime: Runtime | undefined;
  /** The process now. */
  instance(): Instance;
  /** Finishes what is in flight. */
  stop(): Promise<void>;
}

/** The rule of a restart: 250 ms doubling to 30 s, from the start again once it has answered. */
const restartRule = { initial: 250, factor: 2, max: 30_000 };

/** Resolves when it is ready. Nothing is left running when it fails: FF_*, or InstanceStartError. */
export async function runFunction(options: FunctionRunOptions): Promise<FunctionRun> {
  const { plan, ports, onMoved, env, gracePeriod, emit, signal } = options;
  const stopping = new AbortController();
  const pause = createBackoff(restartRule);
  const runtime = plan.components.length > 0 ? await startSidecar(options) : undefined;
  let current: Instance | undefined;
  let stopped: Promise<void> | undefined;

  const stop = () => {
    stopped ??= finish();
    return stopped;
  };

  async function finish(): Promise<void> {
    stopping.abort(new Error("the function is stopped"));
    runtime?.detach(); // no new deliveries; those in flight still need the sidecar for their sends
    await current?.stop(gracePeriod);
    await runtime?.stop();
  }

  /** A process that is ready and gets its deliveries, or none. */
  async function startProcess(port: number): Promise<Instance> {
    const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
    const instance = await startInstance(
      {
        function: plan.name,
        folder: plan.folder,
        env: environmentOf(plan, env, port, runtime),
        listen: `tcp:127.0.0.1:${port}`,
      },
      {
        onNews(item) {
          if (item.channel === "invocation") pause.reset();
          publishItem({ ...item, data: { ...item.data, function: plan.name } } as NewsItem);
        },
        onDropped: (count) =>
          log.warn(`${count} news of "${plan.name}" were dropped: it makes more than can be told.`),
        onOutput(stream, bytes) {
          emit("log", { stream, text: decoders[stream].write(bytes), bytes }, plan.name);
          return options.room();
        },
      },
      stopping.signal,
    );
    try {
      current = instance;
      await runtime?.attach(`http://127.0.0.1:${port}`);
      return instance;
    } catch (err) {
      await instance.stop(0);
      throw err;
    }
  }

  // The one owner of the process: waits for its end, and starts another. Messages wait at the runtime meanwhile.
  async function keepRunning(port: number, first: Instance): Promise<void> {
    for (let instance: Instance | undefined = first; instance; ) {
      const how: string = await instance.ended;
      if (stopping.signal.aborted) return;
      runtime?.detach();
      emit(
        "error",
        describeError(frameworkError("FF_INSTANCE_CRASHED", { function: plan.name, how })),
        plan.name,
      );
      instance = await startAgain(port, how);
    }
  }

  async function startAgain(port: number, reason: string): Promise<Instance | undefined> {
    const begin = performance.now();
    while (!stopping.signal.aborted) {
      try {
        await sleep(pause.next(), undefined, { signal: stopping.signal });
        const instance = await startProcess(port);
        emit("reload", { reason, files: [], pid: instance.pid, ms: performance.now() - begin }, plan.name);
        return instance;
      } catch (err) {
        if (!stopping.signal.aborted) emit("error", failureOf(err), plan.name);
      }
    }
    return undefined;
  }

  signal.addEventListener("abort", () => background(stop()), { once: true });
  try {
    signal.throwIfAborted();
    const port = await findPort(ports.http, { onMoved });
    stopping.signal.throwIfAborted();
    background(keepRunning(port, await startProcess(port)));
    return { plan, url: `http://127.0.0.1:${port}/`, runtime, instance: () => current as Instance, stop };
  } catch (err) {
    await stop();
    throw err;
  }
}

/** How a failure is told: a worker's own words, or the error's. */
export function failureOf(err: unknown): ErrorDescription {
  return err instanceof InstanceStartError ? err.failure : describeError(asFrameworkError(err));
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

/** The shell's environment, then the CR's params, then ours. */
function environmentOf(
  { env: own, folder }: FunctionPlan,
  shell: NodeJS.ProcessEnv,
  port: number,
  runtime: Runtime | undefined,
) {
  const { format, level, verbose } = logSettings();
  return {
    ...shell,
    FF_LOG_FORMAT: format,
    FF_LOG_LEVEL: level,
    FF_VERBOSE: String(verbose),
    ...own,
    FUNCTION_SOURCE: resolve(folder, own.FUNCTION_SOURCE ?? "."),
    PORT: String(port),
    APP_PROTOCOL: "http",
    ...(runtime && { DAPR_HOST: "127.0.0.1", DAPR_HTTP_PORT: String(runtime.port), DAPR_HTTP_ENDPOINT: "" }),
  };
}
