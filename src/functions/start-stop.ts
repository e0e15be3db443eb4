/** Work of the user's at the start and the end of the process. */
import { frameworkError, messageOf } from "../core/errors";
import { settled } from "../core/settled";
import { assertCallable } from "./hooks";
import { shared } from "./shared";

/** Runs before anything listens, in order of registration; the start waits. Error: FF_HOOK_NOT_CALLABLE. */
export function onStart(work: () => unknown): void {
  assertCallable(work);
  shared().onStart.push(work);
}

/** Runs when everything in flight is finished, newest first; the end waits, within the grace period. Error: FF_HOOK_NOT_CALLABLE. */
export function onStop(work: () => unknown): void {
  assertCallable(work);
  shared().onStop.push(work);
}

/** What a module exports for its life beside its functions, as faas-js-runtime has it. */
export interface LifecycleExports {
  init?: () => unknown;
  shutdown?: () => unknown;
  liveness?: (() => unknown) & { path?: string };
  readiness?: (() => unknown) & { path?: string };
}

/** No functions to serve, unless they are named. */
export const lifecycleNames: readonly string[] = ["init", "shutdown", "liveness", "readiness"];

/** The lifecycle exports of a module; one that is served as a function is none. Error: FF_START_FAILED for one that throws when it is read. */
export function lifecycleExportsOf(exported: unknown, served: readonly string[]): LifecycleExports {
  const inner = readExport(exported, "default");
  const found: Record<string, unknown> = {};
  for (const name of lifecycleNames) {
    const value = [exported, inner]
      .map((from) => readExport(from, name))
      .find((one) => typeof one === "function");
    if (value && !served.includes(name)) found[name] = value;
  }
  return found as LifecycleExports;
}

function readExport(from: unknown, name: string): unknown {
  if (from === null || from === undefined) return undefined;
  try {
    return (from as Record<string, unknown>)[name];
  } catch (err) {
    throw startFailed(`The export ${name}`, err);
  }
}

function startFailed(what: string, err: unknown): Error {
  return frameworkError("FF_START_FAILED", { what, why: messageOf(err) }, { cause: err });
}

/** Runs the work before anything listens, one after the other. Error: FF_START_FAILED. */
export async function runStart({ init }: LifecycleExports): Promise<void> {
  const work: [what: string, start: (() => unknown) | undefined][] = [
    ["The export init", init],
    ...shared().onStart.map((start): [string, () => unknown] => ["A function of onStart", start]),
  ];
  for (const [what, start] of work) {
    try {
      await settled(start?.(), () => new Error("it waits for something that never comes"));
    } catch (err) {
      throw startFailed(what, err);
    }
  }
}

/** The work at the end, in the order in which it was stated: the last one is to be done first. */
export function stopWork({ shutdown }: LifecycleExports): (() => unknown)[] {
  return [...(shutdown ? [shutdown] : []), ...shared().onStop];
}
