/** `--workers`: several processes of one function that share a port. This one listens, and runs none of the user's code. */
import { createServer, type Server, type Socket } from "node:net";

import { realClock } from "../core/clock";
import { exitCodes, type Lifecycle } from "../core/lifecycle";
import { log, logFailure } from "../core/log";
import type { ParsedFlags } from "../core/read-flags";
import { contextOfV1beta2 } from "../manifest/context-v1beta2";
import { readContexts } from "../manifest/contexts";
import { untilNoneWaits } from "../serving/drain";
import { addressFrom, addressOf, listen } from "../serving/listen";
import type { ServedFunction } from "../serving/options";
import { refuseConnection } from "./refuse-connection";
import { relaysOf } from "./relay";
import type { InstanceChange } from "./status";
import { createSupervisor } from "./supervisor";
import { createWorkerStart } from "./worker-start";

export interface WorkersOptions {
  /** Arguments of the command, which every worker gets. */
  args: readonly string[];
  flags: Pick<ParsedFlags, "values" | "explicit">;
  lifecycle: Lifecycle;
  env: NodeJS.ProcessEnv;
}

export interface RunningWorkers {
  functions: readonly ServedFunction[];
  port: number;
}

/** How the first worker ended before it was ready: the command ends like that. */
export interface FailedStart {
  exitCode: number;
}

/**
 * Resolves when the first worker is ready and the port is open; the others follow. What the first one has to say about
 * its failure is told by then. Errors: FF_CONTEXT_*, FF_PORT_IN_USE, FF_LISTEN_FAILED.
 */
export async function startWorkers(options: WorkersOptions): Promise<RunningWorkers | FailedStart> {
  const { args, flags, lifecycle, env } = options;
  const { values } = flags;
  const { workers: count, "grace-period": grace } = values;
  const read = readContexts({ context: values.context, v1beta2: values["context-v1beta2"] });
  const context = read.first ?? (read.second && contextOfV1beta2(read.second));
  const workers = createWorkerStart({
    args,
    count,
    grace,
    clock: realClock,
    refuse: refuseConnection,
    output: relaysOf(realClock),
  });
  const first = createFirst();
  const supervisor = createSupervisor({
    env,
    start: workers.start,
    onChange: (change) => (first.isOver ? tellChange(change, lifecycle) : first.noteChange(change)),
  });
  const spec = {
    name: values.target ?? "function",
    folder: process.cwd(),
    nodeOptions: process.execArgv.map(withAnyPort),
    startTimeout: longestStart,
    grace,
  };
  lifecycle.limit(() => grace + beyondGrace);
  lifecycle.onStop(() => supervisor.stop(grace).then(workers.stop));
  process.on("exit", () => workers.killAll("SIGTERM")); // a second signal: what drains already ends at once
  workers.onCrashAtStop(
    () => lifecycle.isStopping && void lifecycle.stop("a worker crashed", exitCodes.crashed),
  );

  // One alone: what cannot be loaded fails once, and what is said at the start is said once.
  void supervisor.apply([{ ...spec, min: 1, max: 1 }]);
  const { functions, failure } = await first.settled;
  if (lifecycle.isStopping) return new Promise(() => undefined); // it ends the process
  if (failure) {
    const ending = workers.lastExit();
    await supervisor.stop(0);
    await workers.stop();
    return tellFailure(failure, ending);
  }
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    (socket as Socket & { server?: unknown }).server = undefined; // Node would ask every worker about it at the end
    workers.handover.add(socket);
  });
  await listen(server, addressFrom(flags, context));
  lifecycle.onStop(() => stopAccepting(server, workers.handover));
  void supervisor.apply([{ ...spec, min: count, max: count }]);
  log.info(`${count} workers serve it.`);
  return { functions, port: addressOf(server).port };
}

const longestStart = 2_000_000; // s: a module may take its time, as it may without workers
const beyondGrace = 5; // s: what has connected is handed over first, and SIGKILL comes 2 s after the grace period

// `--inspect=9229`: two cannot have one port.
function withAnyPort(option: string): string {
  return option.replace(/^(--inspect(?:-brk|-wait)?)(?:=.*)?$/, "$1=0");
}

/** What becomes of the first process. */
function createFirst() {
  let isOver = false;
  let settle: (how: { functions: readonly ServedFunction[]; failure?: InstanceChange["error"] }) => void;
  const settled = new Promise<Parameters<typeof settle>[0]>((resolve) => {
    settle = resolve;
  });
  return {
    settled,
    get isOver() {
      return isOver;
    },
    noteChange({ state, functions, error }: InstanceChange) {
      if (state !== "ready" && !error && state !== "draining") return;
      isOver = true;
      settle({ functions, failure: error });
    },
  };
}

function tellChange({ error }: InstanceChange, lifecycle: Lifecycle): void {
  if (error && !lifecycle.isStopping) logFailure(error);
}

// As if it had been this process: one that ended by itself has said what it wanted.
function tellFailure(
  failure: NonNullable<InstanceChange["error"]>,
  { code, saidWhy }: { code: number | null; saidWhy: boolean },
): FailedStart {
  if (saidWhy || code === null) logFailure(failure);
  return { exitCode: saidWhy ? exitCodes.cannotStart : (code ?? exitCodes.cannotStart) };
}

const handoverWithin = 1_000; // ms

/** What has connected before is served: only then do the workers drain. */
async function stopAccepting(
  server: Server,
  handover: { settled(): Promise<void>; close(): void },
): Promise<void> {
  await untilNoneWaits(server);
  server.close();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, handoverWithin);
  });
  await Promise.race([handover.settled(), late]);
  clearTimeout(timer);
  handover.close();
}
