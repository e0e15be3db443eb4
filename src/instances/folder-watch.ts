/**
 * Watches folders, each by itself: a save by rename is seen, and on Linux a recursive watch is not to be relied on.
 * Where the system has no watch left, what is in the folder is looked at from time to time.
 */
import { type FSWatcher, watch as fsWatch, type Stats, statSync } from "node:fs";
import { join } from "node:path";

import type { Clock } from "../core/clock";

export interface FolderWatchOptions {
  clock: Clock;
  /** Something about this path, or in this folder, may have changed. */
  onEvent(path: string): void;
  /** The system has no watch left; said once. */
  onPolling(code: string): void;
  watch?: typeof fsWatch;
  /** Folders at most; the others are looked at. */
  atMost?: number;
}

export interface FolderWatch {
  /** Exactly these, which exist. Returns those that were not watched before, or are other folders by now. */
  set(folders: ReadonlyMap<string, Iterable<string>>): string[];
  readonly size: number;
  stop(): void;
}

interface Watched {
  /** Which folder it is, whatever its name. */
  identity: string;
  watcher: FSWatcher | undefined;
}

const pollEvery = 500; // ms

export function createFolderWatch({
  clock,
  onEvent,
  onPolling,
  watch = fsWatch,
  atMost = 2_000,
}: FolderWatchOptions): FolderWatch {
  const all = new Map<string, Watched>();
  let wanted: ReadonlyMap<string, Iterable<string>> = new Map();
  let looks = new Map<string, string>();
  let cancelPoll: (() => void) | undefined;
  let isTold = false;

  function open(folder: string): FSWatcher | undefined {
    if (all.size >= atMost) return poll(folder, `more than ${atMost} folders`);
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) =>
        onEvent(name === null ? folder : join(folder, String(name))),
      );
      watcher.on("error", () => {
        watcher.close(); // the folder is gone, or was taken away from us
        all.delete(folder);
        onEvent(folder);
      });
      return watcher;
    } catch (err) {
      const { code = "unknown" } = err as NodeJS.ErrnoException;
      return code === "ENOENT" ? undefined : poll(folder, code);
    }
  }

  function poll(folder: string, why: string): undefined {
    for (const path of wanted.get(folder) ?? []) looks.set(path, lookOf(path));
    if (!isTold) onPolling(why);
    isTold = true;
    cancelPoll ??= clock.after(pollEvery, look);
  }

  function look(): void {
    const before = looks;
    looks = new Map();
    for (const [folder, { watcher }] of all) {
      if (watcher) continue;
      for (const path of wanted.get(folder) ?? []) {
        const now = lookOf(path);
        looks.set(path, now);
        if (before.has(path) && before.get(path) !== now) onEvent(path);
      }
    }
    cancelPoll = looks.size > 0 ? clock.after(pollEvery, look) : undefined;
  }

  function close(folder: string): void {
    all.get(folder)?.watcher?.close();
    all.delete(folder);
  }

  return {
    set(folders) {
      wanted = folders;
      for (const folder of all.keys()) if (!folders.has(folder)) close(folder);
      return [...folders.keys()].filter((folder) => {
        const identity = identityOf(statSync(folder, { throwIfNoEntry: false }));
        if (all.get(folder)?.identity === identity) return false;
        close(folder);
        all.set(folder, { identity, watcher: open(folder) });
        return true;
      });
    },
    get size() {
      return all.size;
    },
    stop() {
      cancelPoll?.();
      for (const folder of all.keys()) close(folder);
    },
  };
}

const identityOf = (stats: Stats | undefined) => `${stats?.dev}:${stats?.ino}`;

function lookOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? `${identityOf(stats)}:${stats.size}:${stats.mtimeMs}` : "";
}
