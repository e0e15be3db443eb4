/** The life of the process: signals from the start, one drain, the exit code. */
import { constants } from "node:os";

import { log, logError } from "./log";
import { untilWritten } from "./output";

/** Exit codes, see docs/errors.md. */
export const exitCodes = { ok: 0, cannotStart: 1, crashed: 16 } as const;

export interface Lifecycle {
  /** What is closed at the end, newest first. May be called while stopping: it is run at once. */
  onStop(close: () => unknown): void;
  /** The stop takes no longer than this many seconds, asked when it begins. Default: for ever. */
  limit(seconds: () => number): void;
  /**
   * Drains and ends the process, when its output is written. The first code that is not 0 counts: a crash meanwhile
   * shows.
   */
  stop(reason: string, exitCode?: number): Promise<void>;
  readonly isStopping: boolean;
  /** The code the process is going to end with, as it stands; undefined before the stop. */
  readonly exitCode: number | undefined;
}

export interface LifecycleOptions {
  /** Signals that drain. Default SIGTERM and SIGINT. */
  signals?: readonly NodeJS.Signals[];
}

/** Installs the signal handlers: the first signal drains and exits 0, the second exits at once with 128 + its number. */
export function createLifecycle({ signals = ["SIGTERM", "SIGINT"] }: LifecycleOptions = {}): Lifecycle {
  const closers = createClosers();
  let stopping: Promise<void> | undefined;
  let longest: (() => number) | undefined;
  let code: number | undefined;

  const lifecycle: Lifecycle = {
    onStop: closers.add,
    limit(seconds) {
      longest = seconds;
    },
    stop(reason, exitCode = exitCodes.ok) {
      code ||= exitCode;
      stopping ??= (async () => {
        log.debug(`Stopping: ${reason}`);
        await withLimit(
          closers.closeAll().then(() => untilWritten()),
          longest?.(),
        );
        process.exit(code);
      })();
      return stopping;
    },
    get isStopping() {
      return stopping !== undefined;
    },
    get exitCode() {
      return code;
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

/** A part of a process that can end alone. Who makes it closes it when the process stops. */
export interface Scope extends Lifecycle {
  /** Closes what was opened here; the process goes on. Twice is fine. */
  close(): Promise<void>;
}

export function createScope(lifecycle: Lifecycle): Scope {
  const closers = createClosers();
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closers.closeAll();
    return closing;
  };
  return {
    onStop: closers.add,
    limit: lifecycle.limit,
    stop: lifecycle.stop,
    close,
    get isStopping() {
      return closing !== undefined || lifecycle.isStopping;
    },
    get exitCode() {
      return lifecycle.exitCode;
    },
  };
}

function createClosers() {
  const closers: (() => unknown)[] = [];
  return {
    add: (close: () => unknown) => void closers.push(close),
    async closeAll(): Promise<void> {
      for (let close = closers.pop(); close; close = closers.pop()) {
        try {
          await close();
        } catch (err) {
          logError(err);
        }
      }
    },
  };
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
