/** The life of the process: signals from the start, one drain, the exit code. */
import { constants } from "node:os";

import { log, logError } from "./log";

/** Exit codes, see docs/errors.md. */
export const exitCodes = { ok: 0, cannotStart: 1, crashed: 16 } as const;

export interface Lifecycle {
  /** What is closed at the end, newest first. May be called while stopping: it is run at once. */
  onStop(close: () => unknown): void;
  /** Drains and ends the process. The first call decides the exit code. */
  stop(reason: string, exitCode?: number): Promise<void>;
  readonly isStopping: boolean;
}

export interface LifecycleOptions {
  /** Signals that drain. Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[];
  /** Called in place of process.exit, for tests. */
  exit?: (code: number) => void;
}

/** Installs the signal handlers: the first signal drains and exits 0, the second exits at once with 128 + its number. */
export function createLifecycle({
  signals = ["SIGTERM", "SIGINT"],
  exit = (code) => process.exit(code),
}: LifecycleOptions = {}): Lifecycle {
  const closers: (() => unknown)[] = [];
  let stopping: Promise<void> | undefined;

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
    stop(reason, exitCode = exitCodes.ok) {
      stopping ??= (async () => {
        log.debug(`Stopping: ${reason}`);
        await closeAll();
        exit(exitCode);
      })();
      return stopping;
    },
    get isStopping() {
      return stopping !== undefined;
    },
  };

  for (const signal of signals) {
    process.on(signal, () => {
      if (stopping) exit(128 + constants.signals[signal]);
      else void lifecycle.stop(signal);
    });
  }
  return lifecycle;
}

/** Starts work that nobody waits for; its failure is logged instead of lost. */
export function background(work: Promise<unknown>): void {
  work.catch((err) => logError(err));
}
