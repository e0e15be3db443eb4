/** One run of `dev`: the embedded broker, the functions, the news, and their end. */
import { background } from "../core/lifecycle";
import { describeError, logError } from "../core/log";
import type { PortWish } from "../core/ports";
import { createSupervisor } from "../instances/supervisor";
import { startBroker } from "../local/broker";
import { listen } from "../telemetry/channels";
import { type SessionControl, startSessionControl } from "./control";
import type { Emit, ReadyBroker, ReadyFunction } from "./events";
import type { Feed } from "./feed";
import { type FunctionRun, prepareFunction, sharedEnvironment } from "./function-run";
import type { Plan } from "./plan";

export interface SessionOptions {
  plan: Plan;
  /** The working folder: other commands find the session by it. */
  folder: string;
  brokers: "embedded" | "declared";
  ports: { http: PortWish; dapr: PortWish; mqtt: PortWish };
  /** Seconds. */
  gracePeriod: number;
  env: NodeJS.ProcessEnv;
  emit: Emit;
  /** Told by `emit` too. */
  feed: Feed;
  /** Settled when there is room for more output; undefined when there is room now. */
  room: () => Promise<unknown> | undefined;
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
  ports,
  gracePeriod,
  env,
  emit,
  feed,
  room,
}: SessionOptions): Session {
  const closers = [forwardNews(emit)];
  const stopping = new AbortController();
  const runs = new Map<string, FunctionRun>();
  const supervisor = createSupervisor({
    env: sharedEnvironment(env),
    admit: async ({ function: name }) => runs.get(name)?.attach(),
    onChange: (change) => runs.get(change.function)?.noteChange(change),
    onOutput({ function: name }, stream, chunk) {
      runs.get(name)?.noteOutput(stream, chunk);
      return room();
    },
  });
  let control: SessionControl | undefined;
  let isReady = false;
  let stopped: Promise<void> | undefined;

  const phase = () => (stopped ? "stopping" : isReady ? "ok" : "starting");

  async function start(): Promise<void> {
    const onMoved = (from: number, to: number, flag: string) =>
      emit("notice", { text: `Port ${from} is taken, so ${flag} is ${to}.` });
    for (const text of plan.notices) emit("notice", { text });
    const { functions } = plan;
    control = await startSessionControl({ functions, supervisor, feed, phase, folder, emit });
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

    // One after the other, so that ports and messages come in the order of the manifests.
    for (const functionPlan of plan.functions) {
      if (stopping.signal.aborted) return;
      const own = {
        http: functionPlan === firstServed(plan) ? ports.http : anyPort("--port"),
        dapr: functionPlan === firstWithSidecar(plan) ? ports.dapr : anyPort("--dapr-port"),
      };
      const run = await prepareFunction({
        plan: functionPlan,
        ports: own,
        onMoved,
        embeddedBroker: broker?.url,
        env,
        gracePeriod,
        emit,
      });
      runs.set(functionPlan.name, run);
      if (stopping.signal.aborted) return;
      background(supervisor.apply([...runs.values()].map(({ spec }) => spec)));
      await run.ready;
    }
    if (stopping.signal.aborted) return;
    isReady = true;
    const problem = control.announce();
    emit("ready", {
      gateway: null,
      control: control.url,
      functions: [...runs.values()].map(describeFunction),
      brokers: describeBrokers([...runs.values()], mode),
    });
    if (problem) emit("error", describeError(problem)); // after `ready`: one before it means the end
  }

  // The functions side by side, so that one grace period is enough for all; then what they used.
  async function closeAll(reason?: string): Promise<void> {
    control?.withdraw();
    for (const run of runs.values()) run.detach();
    await supervisor.stop(gracePeriod);
    await ready.catch(() => undefined);
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

// Until there is an address in front, --port is the first HTTP function's own, else the first function's.
function firstServed({ functions }: Plan) {
  return functions.find((one) => !one.isAsync) ?? functions[0];
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
  const sidecar = runtime ? `http://127.0.0.1:${runtime.port}` : null;
  return { name: plan.name, signature: functions?.[0]?.signature ?? "", url, pid: pid ?? 0, sidecar };
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
