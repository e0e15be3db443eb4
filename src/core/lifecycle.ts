/** The life of the process: signals from the start, one drain, the exit code. */
import { constants } from "node:os";

import { log, logError } from "./log";

/** Exit codes, see docs/errors.md. */
export const exitCodes = { ok: 0, cannotStart: 1, crashed: 16 } as const;

export interface Lifecycle {
  /** What is closed at the end, newest first. May be called while stopping: it is run at once. */
  onStop(close: () => unknown): void;
  /** The stop takes no longer than this many seconds, asked when it begins. Default: for ever. */
  limit(seconds: () => number): void;
  /** Drains and ends the process. The first call decides the exit code. */
  stop(reason: string, exitCode?: number): Promise<void>;
  readonly isStopping: boolean;
}

export interface LifecycleOptions {
  /** Signals that drain. Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[];
}

/** Installs the signal handlers: the first signal drains and exits 0, the second exits at once with 128 + its number. */
export function createLifecycle({ signals = ["SIGTERM", "SIGINT"] }: LifecycleOptions = {}): Lifecycle {
  const closers: (() => unknown)[] = [];
  let stopping: Promise<void> | undefined;
  let longest: (() => number) | undefined;

  async function closeAll(): Promise<void> {
    for (let close = closers.pop(); close; close = closers.pop()) {
      try {
        await close();
      } catch (err) {
        logError(err);
      }
    }
  }

  const lifecycle: Lifecycle = {
    onStop: (close) => closers.push(close),
    limit(seconds) {
      longest = seconds;
    },
    stop(reason, exitCode = exitCodes.ok) {
      stopping ??= (async () => {
        log.debug(`Stopping: ${reason}`);
        await withLimit(closeAll(), longest?.());
        process.exit(exitCode);
      })();
      return stopping;
    },
    get isStopping() {
      return stopping !== undefined;
    },
  };

  for (const signal of signals) {
    process.on(signal, () => {
      if (stopping) process.exit(128 + constants.signals[signal]);
      else void lifecycle.stop(signal);
    });
  }
  return lifecycle;
}

async function withLimit(work: Promise<void>, seconds: number | undefined): Promise<void> {
  if (seconds === undefined) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      log.warn(`Not everything was closed within ${seconds} s.`);
      resolve();
    }, seconds * 1000);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** Starts work that nobody waits for; its failure is logged instead of lost. */
export function background(work: Promise<unknown>): void {
  work.catch((err) => logError(err));
}
