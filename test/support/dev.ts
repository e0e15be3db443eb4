/** `functions-framework dev --json` as a child process, its events as they come. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { stateFileOf } from "../../src/control/state-file";
import type { DevEvent, DevEventName, ReadyData } from "../../src/dev/events";
import { until } from "./wait";

const bin = join(__dirname, "../../bin/functions-framework.js");

type EventOf<E extends DevEventName> = Extract<DevEvent, { event: E }>;

export interface Dev extends EventEmitter {
  readonly child: ChildProcess;
  readonly events: DevEvent[];
  /** Lines of stdout that are no JSON object: there must be none. */
  readonly stray: string[];
  stderr: string;
  /** The first event of a kind that matches, now or later. */
  next<E extends DevEventName>(event: E, matches?: (event: EventOf<E>) => boolean): Promise<EventOf<E>>;
  all<E extends DevEventName>(event: E): EventOf<E>[];
  ready(): Promise<ReadyData>;
  /** Sends a signal and resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** With ports of its own: three defaults would collide when tests run side by side. */
export const freePorts = ["--port=0", "--dapr-port=0", "--mqtt-port=0"];

export function startDev(cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): Dev {
  const stateFile = stateFileOf(cwd);
  const child = spawn(process.execPath, [bin, "dev", "--json", ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal }));
  const dev: Dev = Object.assign(new EventEmitter().setMaxListeners(0), {
    child,
    events: [] as DevEvent[],
    stray: [] as string[],
    stderr: "",
    exited,
    async next<E extends DevEventName>(event: E, matches: (event: EventOf<E>) => boolean = () => true) {
      const found = () => dev.all(event).find(matches);
      const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
      await until(
        () => found() !== undefined || hasEnded(),
        dev,
        "change",
        `the event ${event}; there were ${JSON.stringify(dev.events)} ${dev.stderr}`,
      );
      const one = found();
      if (one === undefined)
        throw new Error(`dev ended before the event ${event}: ${JSON.stringify(dev.events)} ${dev.stderr}`);
      return one;
    },
    all: <E extends DevEventName>(event: E) =>
      dev.events.filter((one): one is EventOf<E> => one.event === event),
    ready: async () => (await dev.next("ready")).data,
    async stop(signal: NodeJS.Signals = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const killer = setTimeout(() => child.kill("SIGKILL"), 30_000);
      const { code } = await exited;
      clearTimeout(killer);
      rmSync(stateFile, { force: true }); // one that is killed leaves it
      return code;
    },
  });
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
    try {
      dev.events.push(JSON.parse(line));
    } catch {
      dev.stray.push(line);
    }
    dev.emit("change");
  });
  child.stderr?.on("data", (chunk) => {
    dev.stderr += chunk;
  });
  void exited.then(() => dev.emit("change"));
  return dev;
}
