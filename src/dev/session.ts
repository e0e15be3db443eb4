/** One run of `dev`: the embedded broker, the functions, the news, and their end. */
import { once } from "node:events";

import { background } from "../core/lifecycle";
import { describeError, logError } from "../core/log";
import type { PortWish } from "../core/ports";
import { failureOf } from "../instances/instance";
import type { Change } from "../instances/reloads";
import { createSupervisor } from "../instances/supervisor";
import { startBroker } from "../local/broker";
import type { Redelivery } from "../local/runtime";
import { listen } from "../telemetry/channels";
import { type SessionControl, startSessionControl } from "./control";
import type { Emit, ReadyBroker, ReadyFunction } from "./events";
import type { Feed } from "./feed";
import { type Front, startFront } from "./front";
import { type FunctionRun, prepareFunction, sharedEnvironment } from "./function-run";
import { createInvoke } from "./invoke";
import type { Plan } from "./plan";
import { reconfigureAll } from "./reconfigure";
import { createReloading } from "./reloading";

export interface SessionOptions {
  plan: Plan;
  /** The working folder: other commands find the session by it. */
  folder: string;
  brokers: "embedded" | "declared";
  redelivery: Redelivery;
  ports: { http: PortWish; dapr: PortWish; mqtt: PortWish };
  /** Names that a Host may say beside those of this machine. */
  allowedHosts: readonly string[] | undefined;
  /** Undefined: nothing is watched, and a function that cannot be loaded ends the start. */
  watch: WatchSettings | undefined;
  /** Files with `NAME=value` lines. */
  envFiles: readonly string[];
  /** Seconds. */
  gracePeriod: number;
  env: NodeJS.ProcessEnv;
  emit: Emit;
  /** Told by `emit` too. */
  feed: Feed;
  /** Settled when there is room for more output; undefined when there is room now. */
  room: () => Promise<unknown> | undefined;
}

export interface WatchSettings {
  /** The manifests. */
  files: readonly string[];
  /** What they say now. */
  replan(): Plan;
}

export interface Session {
  /** Finishes what is in flight. Also while it starts: the start ends then. */
  stop(reason: string): Promise<void>;
  /** Resolves when every function is ready. A failure stops what was started: FF_*, or InstanceStartError. */
  ready: Promise<void>;
}

const anyPort = (flag: string): PortWish => ({ port: 0, explicit: false, flag });

export function startSession({
  plan,
  folder,
  brokers: mode,
  redelivery,
  ports,
  allowedHosts,
  watch,
  envFiles,
  gracePeriod,
  env,
  emit,
  feed,
  room,
}: SessionOptions): Session {
  const closers = [forwardNews(emit)];
  const stopping = new AbortController();
  const stopAsked = once(stopping.signal, "abort");
  const runs = new Map<string, FunctionRun>();
  const reloading = watch && createReloading({ runs, supervisor: () => supervisor, reconfigure, emit });
  const supervisor = createSupervisor({
    ...(reloading && { start: reloading.start, onSources: reloading.onSources }),
    env: sharedEnvironment(env),
    admit: async ({ function: name, ...process }) => runs.get(name)?.attach(process),
    onChange(change) {
      runs.get(change.function)?.noteChange(change);
      reloading?.noteChange(change);
    },
    onOutput({ function: name }, stream, chunk) {
      runs.get(name)?.noteOutput(stream, chunk);
      return room();
    },
  });
  let control: SessionControl | undefined;
  let front: Front | undefined;
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let isReady = false;
  let stopped: Promise<void> | undefined;

  const phase = () => (stopped ? "stopping" : isReady ? "ok" : "starting");

  async function start(): Promise<void> {
    const onMoved = (from: number, to: number, flag: string) =>
      emit("notice", { text: `Port ${from} is taken, so ${flag} is ${to}.` });
    for (const text of plan.notices) emit("notice", { text });
    const { functions } = plan;
    const invoke = createInvoke({
      functions,
      frontUrl: () => front?.url,
      sidecarUrl: (name) => sidecarUrl(runs.get(name)),
      appToken: env.APP_API_TOKEN || undefined,
      apiToken: env.DAPR_API_TOKEN || undefined,
    });
    const told = { functions, supervisor, feed, invoke, phase };
    control = await startSessionControl({ ...told, allowedHosts, folder, emit });
    if (stopping.signal.aborted) return;
    front = await startFront({
      functions,
      supervisor: { acquire: (name, wish) => opened.then(() => supervisor.acquire(name, wish)) },
      port: ports.http,
      onMoved,
      allowedHosts,
    });
    if (stopping.signal.aborted) return;
    const isEmbedded = plan.needsBroker && mode === "embedded";
    const broker = isEmbedded
      ? await startBroker({
          port: ports.mqtt,
          onNotice: (notice) => emit("error", describeError(notice)),
          onMoved,
        })
      : undefined;
    if (broker) closers.push(broker.stop);

    // One after the other, so that ports come in the order of the manifests.
    for (const functionPlan of functions) {
      if (stopping.signal.aborted) return;
      const run = await prepareFunction({
        plan: functionPlan,
        front,
        daprPort: functionPlan === firstWithSidecar(plan) ? ports.dapr : anyPort("--dapr-port"),
        allowedHosts,
        onMoved,
        embeddedBroker: broker?.url,
        redelivery,
        env,
        gracePeriod,
        envFiles,
        watch: watch !== undefined,
        emit,
      });
      runs.set(functionPlan.name, run);
    }
    if (stopping.signal.aborted) return;
    background(supervisor.apply([...runs.values()].map(({ spec }) => spec)));
    open(); // who has asked already waits for an instance now
    reloading?.watchSettings([...(watch?.files ?? []), ...envFiles]);
    const areReady = Promise.all([...runs.values()].map((run) => run.ready.catch(whatCanBeMended(run))));
    await Promise.race([areReady, stopAsked]);
    if (stopping.signal.aborted) return;
    isReady = true;
    const problem = control.announce();
    emit("ready", {
      gateway: front.url,
      control: control.url,
      functions: [...runs.values()].map(describeFunction),
      brokers: describeBrokers([...runs.values()], mode),
    });
    if (problem) emit("error", describeError(problem)); // after `ready`: one before it means the end
  }

  // While the files are watched, a module that cannot be loaded is mended without another start.
  const whatCanBeMended =
    ({ plan: { name } }: FunctionRun) =>
    (err: unknown) => {
      if (!watch || stopping.signal.aborted) throw err;
      emit("error", failureOf(err), name);
    };

  async function reconfigure(change: Change): Promise<void> {
    if (!watch || stopped) return;
    const next = watch.replan();
    const done = reconfigureAll(runs, next, change, emit);
    await supervisor.apply([...runs.values()].map(({ spec }) => spec));
    done();
  }

  // The functions side by side, so that one grace period is enough for all; then what they used.
  async function closeAll(reason?: string): Promise<void> {
    control?.withdraw();
    reloading?.stop();
    for (const run of runs.values()) run.detach();
    open();
    await Promise.all([front?.stop(gracePeriod), supervisor.stop(gracePeriod)]);
    await ready.catch(() => undefined);
    await front?.stop(0); // the start had not come so far
    await Promise.all([...runs.values()].map((run) => run.close().catch(logError)));
    for (let close = closers.pop(); close; close = closers.pop()) await close().catch(logError);
    if (reason !== undefined) emit("stopped", { reason });
    await control?.stop(); // last: who follows the events sees the end too
  }

  const ready = start();
  ready.catch(() => {
    stopped ??= closeAll();
  });
  return {
    ready,
    async stop(reason) {
      if (stopped) return stopped;
      stopping.abort(new Error(reason));
      stopped = closeAll(reason);
      await stopped;
    },
  };
}

function firstWithSidecar({ functions }: Plan) {
  return functions.find((one) => one.components.length > 0);
}

function forwardNews(emit: Emit): () => Promise<void> {
  const stops = [
    listen("invocation", ({ function: name, instance: _, ...data }) => emit("invocation", data, name)),
    listen("delivery", ({ function: name, instance: _, ...data }) => emit("delivery", data, name)),
    listen("send", ({ function: name, instance: _, ...data }) => emit("send", data, name)),
  ];
  return async () => {
    for (const stop of stops) stop();
  };
}

function describeFunction({ plan, url, runtime, instance }: FunctionRun): ReadyFunction {
  const { pid, functions } = instance() ?? {};
  const sidecar = sidecarUrl({ runtime }) ?? null;
  return { name: plan.name, signature: functions?.[0]?.signature ?? "", url, pid: pid ?? 0, sidecar };
}

function sidecarUrl(run: Pick<FunctionRun, "runtime"> | undefined): string | undefined {
  return run?.runtime && `http://127.0.0.1:${run.runtime.port}`;
}

/** Every component, once: two functions may share one. */
function describeBrokers(runs: readonly FunctionRun[], mode: "embedded" | "declared"): ReadyBroker[] {
  const rows = new Map<string, ReadyBroker>();
  for (const { name, type, address } of runs.flatMap(({ runtime }) => [
    ...(runtime?.components.values() ?? []),
  ])) {
    const row: ReadyBroker = { component: name, type, mode: address === null ? "in-process" : mode, address };
    rows.set(JSON.stringify(row), row);
  }
  return [...rows.values()];
}
