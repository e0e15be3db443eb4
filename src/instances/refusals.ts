/** Why requests are turned away while a function has no instance that is ready. */
import { type FrameworkError, frameworkError } from "../core/errors";
import type { Generation } from "./generation";

const retryAfterChange = 30; // s: somebody has to mend it first

export interface RefusalOptions {
  /** Name of the function. */
  function: string;
  serving: Generation | undefined;
  /** What is wrong with the settings themselves; it counts when nothing runs with others. */
  problem: FrameworkError | undefined;
}

/** Undefined while an instance may come. */
export function refusalOf({ function: name, serving, problem }: RefusalOptions): FrameworkError | undefined {
  const reason = serving ? serving.rule.cannotBeLoaded && serving.lastFailure : problem;
  if (reason) {
    const details = { function: name, code: reason.code };
    return frameworkError("FF_INSTANCE_LOAD_FAILED", details, {
      cause: reason,
      retryAfter: retryAfterChange,
    });
  }
  return serving?.rule.isCrashLoop && serving.rule.startsIn() > 0 ? crashLoopOf(name, serving) : undefined;
}

export function crashLoopOf(name: string, generation: Generation): FrameworkError {
  const details = { function: name, deaths: generation.rule.deaths };
  const retryAfter = retryAfterOf(generation);
  return frameworkError("FF_INSTANCE_CRASH_LOOP", details, { cause: generation.lastFailure, retryAfter });
}

/** Seconds until the next start may change something. */
export function retryAfterOf(generation: Generation | undefined): number {
  const ms = generation?.rule.startsIn() ?? 0;
  return ms === Number.POSITIVE_INFINITY ? retryAfterChange : Math.max(1, Math.ceil(ms / 1000));
}
