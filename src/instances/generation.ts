/** The instances of a function that were started with the same settings. */
import type { Clock } from "../core/clock";
import type { ErrorDescription } from "../core/log";
import { type AfterCrashLoop, createRestartRule, type RestartRule } from "./restart-rule";
import type { ProcessSettings } from "./spec";

export interface Generation {
  /** Later ones have higher numbers. */
  readonly number: number;
  readonly settings: ProcessSettings;
  readonly rule: RestartRule;
  /** What must be over before its first process starts. */
  mayStart: Promise<unknown> | undefined;
  lastFailure: ErrorDescription | undefined;
  /** Resolves when the first of them is ready, or has failed, or none is wanted. */
  readonly settled: Promise<void>;
  /** Twice is fine. */
  settle(): void;
}

export interface GenerationOptions {
  number: number;
  settings: ProcessSettings;
  clock: Clock;
  afterCrashLoop: AfterCrashLoop;
}

export function createGeneration({ number, settings, clock, afterCrashLoop }: GenerationOptions): Generation {
  let settle: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const rule = createRestartRule({ clock, afterCrashLoop });
  return { number, settings, rule, mayStart: undefined, lastFailure: undefined, settled, settle };
}
