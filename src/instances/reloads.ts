/**
 * When a change of the sources becomes a new process: requests wait from the moment it was seen; one reload at a time;
 * what changes meanwhile is one more afterwards. Pure policy: it knows no files and no processes.
 */
import type { Clock } from "../core/clock";
import { background } from "../core/lifecycle";
import { logError } from "../core/log";

export interface ReloadsOptions {
  clock: Clock;
  /** Requests and deliveries wait until the returned function is called. */
  hold(): () => void;
  /** Starts with the new code. Resolves when that serves, or it is known why it does not. */
  restart(change: Change): Promise<void>;
}

/** What a reload is for. */
export interface Change {
  files: readonly string[];
  /** When the first of it was seen. */
  seen: number;
}

export interface Reloads {
  noteSeen(): void;
  noteChange(files: readonly string[]): void;
  /** What was seen is no change. */
  noteNothing(): void;
  stop(): void;
}

const patience = 1_000; // ms that a load may take when there is a newer change

export function createReloads({ clock, hold, restart }: ReloadsOptions): Reloads {
  const pending = new Set<string>();
  let since: number | undefined; // when the first of what is pending was seen
  let isLooking = false; // something was seen, and it is not known yet what it is
  let isReloading = false;
  let isStopped = false;
  let release: (() => void) | undefined;
  let overtake: () => void = () => undefined;

  async function reloadAll(): Promise<void> {
    isReloading = true;
    while (pending.size > 0 && !isStopped) {
      const change: Change = { files: [...pending], seen: since ?? clock.now() };
      pending.clear();
      since = undefined;
      const overtaken = new Promise<void>((resolve) => {
        overtake = resolve;
      });
      await Promise.race([restart(change).catch(logError), overtaken]);
    }
    isReloading = false;
    letGo();
  }

  function letGo(): void {
    if (isReloading || isLooking) return;
    release?.();
    release = undefined;
  }

  return {
    noteSeen() {
      if (isStopped) return;
      isLooking = true;
      since ??= clock.now();
      release ??= hold();
    },
    noteChange(files) {
      isLooking = false;
      for (const file of files) pending.add(file);
      if (!isReloading) return background(reloadAll());
      // A module that loads for ever is not waited for: its mending is what has changed.
      clock.after(patience, overtake);
    },
    noteNothing() {
      isLooking = false;
      if (pending.size === 0) since = undefined;
      letGo();
    },
    stop() {
      isStopped = true;
      isLooking = false;
      overtake();
      letGo();
    },
  };
}
