/** One run of `dev`: broker, a runtime and a process per function, and their end. */
import { setTimeout as sleep } from "node:timers/promises";

import { type FrameworkError, frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { describeError, logSettings } from "../core/log";
import { findPort, type PortWish } from "../core/ports";
import { type Instance, InstanceStartError, startInstance } from "../instances/instance";
import { type Broker, startBroker } from "../local/broker";
import { type Runtime, startRuntime } from "../local/runtime";
import { listen, publish } from "../telemetry/channels";
import type { Emit, ReadyBroker, ReadyFunction } from "./events";
import type { FunctionPlan, Plan } from "./plan";
import { createRestartPolicy } from "./restart";

export interface SessionOptions {
  plan: Plan;
  brokers: "embedded" | "declared";
  ports: { http: PortWish; dapr: PortWish; mqtt: PortWish };
  /** Seconds. */
  gracePeriod: number;
  env: NodeJS.ProcessEnv;
  emit: Emit;
}

export interface Session {
  stop(reason: string): Promise<void>;
}

interface RunningFunction {
  plan: FunctionPlan;
  port: number;
  runtime: Runtime | undefined;
  instance: Instance;
}

const anyPort = (flag: string): PortWish => ({ port: 0, explicit: false, flag });

/** Resolves when every function is ready. A failure stops what was started and is thrown: FF_* or InstanceStartError. */
export async function startSession({
  plan,
  brokers,
  ports,
  gracePeriod,
  env,
  emit,
}: SessionOptions): Promise<Session> {
  const stopping = new AbortController();
  const closers: (() => Promise<void>)[] = [];
  const onMoved = (from: number, to: number, flag: string) =>
    emit("notice", { text: `Port ${from} is taken, so ${flag} is ${to}.` });
  const tell = (err: FrameworkError, functionName?: string) =>
    emit("error", describeError(err), functionName);

  const stopNews = forwardNews(emit);
  closers.push(async () => stopNews());
  let broker: Broker | undefined;

  async function start(functionPlan: FunctionPlan, index: number): Promise<RunningFunction> {
    const runtime = functionPlan.components.length > 0 ? await startSidecar(functionPlan, index) : undefined;
    const port = await findPort(index === firstServed(plan) ? ports.http : anyPort("--port"), { onMoved });
    const restart = createRestartPolicy();
    const startOne = () =>
      startInstance(
        {
          function: functionPlan.name,
          folder: functionPlan.folder,
          env: environmentOf(functionPlan, env, port, runtime),
          listen: `tcp:127.0.0.1:${port}`,
        },
        {
          onNews({ channel, data }) {
            if (channel === "invocation") restart.served();
            publish(channel, { ...data, function: functionPlan.name } as never);
          },
          onOutput: (stream, chunk) =>
            emit("log", { stream, text: chunk.toString("utf8") }, functionPlan.name),
          onExit(how) {
            if (stopping.signal.aborted) return;
            runtime?.detach();
            tell(
              frameworkError("FF_INSTANCE_CRASHED", { function: functionPlan.name, how }),
              functionPlan.name,
            );
            background(startAgain(how));
          },
        },
        stopping.signal,
      );

    // Messages wait at the runtime meanwhile: nothing is acknowledged by a process that is not there.
    async function startAgain(how: string): Promise<void> {
      const begin = performance.now();
      while (!stopping.signal.aborted) {
        try {
          await sleep(restart.nextDelay(), undefined, { signal: stopping.signal });
          running.instance = await startOne();
          await runtime?.attach(`http://127.0.0.1:${port}`);
          return emit(
            "reload",
            { reason: how, files: [], pid: running.instance.pid, ms: performance.now() - begin },
            functionPlan.name,
          );
        } catch (err) {
          if (stopping.signal.aborted) return;
          emit("error", failureOf(err), functionPlan.name);
        }
      }
    }

    const running: RunningFunction = { plan: functionPlan, port, runtime, instance: await startOne() };
    closers.push(async () => {
      runtime?.detach(); // no new deliveries; those in flight still need the sidecar for their sends
      await running.instance.stop(gracePeriod);
    });
    await runtime?.attach(`http://127.0.0.1:${port}`);
    return running;
  }

  async function startSidecar({ name, appId, components }: FunctionPlan, index: number): Promise<Runtime> {
    const runtime = await startRuntime({
      function: name,
      appId,
      components,
      port: index === firstWithSidecar(plan) ? ports.dapr : anyPort("--dapr-port"),
      onMoved,
      embeddedBroker: broker?.url,
      apiToken: env.DAPR_API_TOKEN || undefined,
      appToken: env.APP_API_TOKEN || undefined,
      onNotice: (notice) =>
        "recovered" in notice ? emit("notice", { text: notice.recovered }, name) : tell(notice, name),
    });
    closers.push(() => runtime.stop());
    return runtime;
  }

  async function stop(reason: string): Promise<void> {
    if (stopping.signal.aborted) return;
    stopping.abort(new Error(reason));
    for (let close = closers.pop(); close; close = closers.pop()) await close();
    emit("stopped", { reason });
  }

  try {
    for (const text of plan.notices) emit("notice", { text });
    if (plan.needsBroker && brokers === "embedded") {
      broker = await startBroker({ port: ports.mqtt, onNotice: (notice) => tell(notice), onMoved });
      closers.push(() => (broker as Broker).stop());
    }
    const running: RunningFunction[] = [];
    // One after the other, so that ports and messages come in the order of the manifests.
    for (const [index, functionPlan] of plan.functions.entries())
      running.push(await start(functionPlan, index));
    emit("ready", {
      gateway: null,
      control: null,
      functions: running.map(describeFunction),
      brokers: running.flatMap((one) => describeBrokers(one, brokers)),
    });
  } catch (err) {
    stopping.abort(new Error("it cannot start"));
    for (let close = closers.pop(); close; close = closers.pop()) await close();
    throw err;
  }
  return { stop };
}

/** What an error that kept `dev` from starting, or a function from starting again, is told as. */
export function failureOf(err: unknown) {
  return err instanceof InstanceStartError ? err.failure : describeError(err);
}

// Until there is an address in front, --port is the first HTTP function's own, else the first function's.
function firstServed({ functions }: Plan): number {
  return Math.max(
    0,
    functions.findIndex((one) => !one.isAsync),
  );
}

function firstWithSidecar({ functions }: Plan): number {
  return functions.findIndex((one) => one.components.length > 0);
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
    FUNCTION_SOURCE: folder,
    PORT: String(port),
    APP_PROTOCOL: "http",
    ...(runtime && { DAPR_HOST: "127.0.0.1", DAPR_HTTP_PORT: String(runtime.port), DAPR_HTTP_ENDPOINT: "" }),
  };
}

function forwardNews(emit: Emit): () => void {
  const stops = [
    listen("invocation", ({ function: name, ...data }) => emit("invocation", data, name)),
    listen("delivery", ({ function: name, ...data }) => emit("delivery", data, name)),
    listen("send", ({ function: name, ...data }) => emit("send", data, name)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function describeFunction({ plan, port, runtime, instance }: RunningFunction): ReadyFunction {
  return {
    name: plan.name,
    signature: instance.functions[0]?.signature ?? "",
    url: `http://127.0.0.1:${port}/`,
    pid: instance.pid,
    sidecar: runtime ? `http://127.0.0.1:${runtime.port}` : null,
  };
}

function describeBrokers({ runtime }: RunningFunction, mode: "embedded" | "declared"): ReadyBroker[] {
  return [...(runtime?.components.values() ?? [])].map(({ name, type, address }) => ({
    component: name,
    type,
    mode: address === null ? "in-process" : mode,
    address,
  }));
}
