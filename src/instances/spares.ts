/**
 * Spare workers: processes that have loaded all but the user's code. One a function at most, taken by its next start
 * where that asks for nothing that a running process cannot be given any more.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { parse } from "node:path";
import { isDeepStrictEqual } from "node:util";

import type { Clock } from "../core/clock";
import { canBecome } from "./environment";
import { environmentOf, forkWorker, type InstanceSpec, startInstance } from "./instance";
import type { ParentMessage, WarmUp } from "./messages";

export interface Spares {
  /** Like `startInstance`, with the function's spare where there is one. */
  start: typeof startInstance;
  /** A start like the last one may come: has a spare for it soon, not at once, as others are busy starting. */
  prepare(functionName: string): void;
  /** What the function's next process will need. */
  noteNeeds(functionName: string, needs: readonly WarmUp[]): void;
  /** None is made any more. Twice is fine. */
  stop(): void;
}

export interface SparesOptions {
  clock: Clock;
  fork?: (spec: InstanceSpec, env: NodeJS.ProcessEnv) => ChildProcess;
  /** Of all functions together. */
  atMost?: number;
}

interface Spare {
  child: ChildProcess;
  spec: InstanceSpec;
}

const afterStart = 100; // ms

export function createSpares({ clock, fork = forkWorker, atMost = 4 }: SparesOptions): Spares {
  const spares = new Map<string, Spare>();
  const lastSpecs = new Map<string, InstanceSpec>();
  const needs = new Map<string, readonly WarmUp[]>();
  const due = new Map<string, () => void>();
  let isStopped = false;

  function make(name: string): void {
    due.delete(name);
    const spec = lastSpecs.get(name);
    if (!spec || isStopped || spares.has(name) || spares.size >= atMost || runsOtherCode(spec)) return;
    const { listen: _, ...waiting } = spec;
    const wanted = (needs.get(name) ?? []).join(",");
    // Its threads cannot start in a folder that is gone, and Node waits for them for ever.
    const somewhere = { ...spec, folder: parse(spec.folder).root };
    const child = fork(somewhere, { ...environmentOf(waiting), FF_SPARE: wanted });
    const forget = () => spares.get(name)?.child === child && spares.delete(name);
    child.once("exit", forget);
    child.once("error", forget);
    spares.set(name, { child, spec });
  }

  function take(spec: InstanceSpec): ChildProcess | undefined {
    due.get(spec.function)?.();
    due.delete(spec.function);
    const spare = spares.get(spec.function);
    if (!spare) return undefined;
    spares.delete(spec.function);
    const { child } = spare;
    if (!child.connected || !canServe(spare.spec, spec)) {
      child.kill("SIGKILL");
      return undefined;
    }
    const env = environmentOf(spec);
    child.send({ type: "begin", folder: spec.folder, env } satisfies ParentMessage, () => undefined);
    return child;
  }

  return {
    start(spec, events, signal) {
      lastSpecs.set(spec.function, spec);
      return startInstance(spec, events, signal, () => take(spec) ?? forkWorker(spec));
    },
    prepare(name) {
      due.get(name)?.();
      due.set(
        name,
        clock.after(afterStart, () => make(name)),
      );
    },
    noteNeeds: (name, some) => void needs.set(name, some),
    stop() {
      isStopped = true;
      for (const cancel of due.values()) cancel();
      for (const { child } of spares.values()) child.kill("SIGKILL");
      due.clear();
      spares.clear();
    },
  };
}

// Without its folder the function cannot start, and a new process says so.
function canServe(one: InstanceSpec, other: InstanceSpec): boolean {
  return (
    existsSync(other.folder) &&
    isDeepStrictEqual(one.execArgv ?? [], other.execArgv ?? []) &&
    canBecome(one.env, other.env)
  );
}

// What is preloaded is the user's too; and two processes cannot have one inspector.
function runsOtherCode({ env, execArgv = [] }: InstanceSpec): boolean {
  const options = [...execArgv, ...(env.NODE_OPTIONS ?? "").split(/\s+/)];
  return options.some((option) =>
    /^(-r|--require|--import|--(experimental-)?loader|--inspect|--env-file)/.test(option),
  );
}
