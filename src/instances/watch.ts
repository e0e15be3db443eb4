/**
 * Tells when the files of a function have changed: once for a burst of writes, never for a touch, and never too late
 * for what was written while it was looking.
 */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, sep } from "node:path";

import type { Clock } from "../core/clock";
import { emptyFingerprint, fingerprintOf } from "../core/fingerprint";
import { createFolderWatch, type FolderWatchOptions } from "./folder-watch";
import type { SourceReport } from "./messages";
import { createSourceGraph } from "./source-graph";

export interface WatchOptions extends Pick<FolderWatchOptions, "watch" | "onPolling" | "atMost"> {
  clock: Clock;
  /** Below it the folders on the way to a file are watched too: one may be renamed as a whole. */
  root: string;
  /** Something may have changed: `onChange` or `onNothing` follows within a second. */
  onSeen(): void;
  /** These files are other ones now. */
  onChange(files: string[]): void;
  onNothing(): void;
}

export interface SourceWatch {
  /** An instance tells what it has loaded. */
  note(instance: string, sources: Pick<SourceReport, "files" | "missing">): void;
  /** The instance serves now. */
  keepOnly(instance: string): void;
  /** Also these, whoever loads them. */
  setOwn(paths: readonly string[]): void;
  readonly folders: number;
  stop(): void;
}

const quiet = 25; // ms without an event: a burst is over
const longQuiet = 100; // where a file is empty or gone: somebody is about to write it
const longest = 500; // a stream of writes that does not end is looked at too

export function createSourceWatch(options: WatchOptions): SourceWatch {
  const { clock, root, onSeen, onChange, onNothing } = options;
  const graph = createSourceGraph();
  const folders = createFolderWatch({ ...options, onEvent: (path) => touch(graph.concernedBy(path)) });
  const touched = new Set<string>();
  let seenAt: number | undefined;
  let cancelCheck: (() => void) | undefined;
  let cancelRefresh: (() => void) | undefined;
  let isStopped = false;

  function touch(paths: readonly string[]): void {
    if (paths.length === 0 || isStopped) return;
    for (const path of paths) touched.add(path);
    if (seenAt === undefined) onSeen();
    seenAt ??= clock.now();
    checkIn(quiet);
  }

  function checkIn(ms: number, { patient = true } = {}): void {
    cancelCheck?.();
    const left = (seenAt ?? 0) + longest - clock.now();
    cancelCheck = clock.after(Math.max(0, Math.min(ms, left)), () => check({ patient }));
  }

  function check({ patient }: { patient: boolean }): void {
    refresh();
    const now = [...touched].map((path) => [path, fingerprintOf(path) ?? null] as const);
    const changed = now.filter(([path, fingerprint]) => fingerprint !== graph.known(path));
    // The fingerprint of nothing: truncated, or moved away, and the rest of the save is yet to come.
    const isHalfDone = changed.some(
      ([, fingerprint]) => fingerprint === null || fingerprint === emptyFingerprint,
    );
    if (patient && isHalfDone) return checkIn(longQuiet, { patient: false });
    touched.clear();
    seenAt = undefined;
    for (const [path, fingerprint] of changed) graph.see(path, fingerprint);
    if (changed.length > 0) onChange(changed.map(([path]) => path));
    else onNothing();
  }

  // A folder that was not watched until now may have changed before it was.
  function refresh(): void {
    cancelRefresh?.();
    cancelRefresh = undefined;
    const isFirst = folders.size === 0;
    const added = folders.set(foldersOf(graph.paths(), root));
    if (isFirst) return;
    const found = added.flatMap(entriesOf).flatMap(graph.concernedBy);
    const others = found.filter(
      (path) => !touched.has(path) && (fingerprintOf(path) ?? null) !== graph.known(path),
    );
    if (others.length > 0) clock.after(0, () => touch(others));
  }

  return {
    note(instance, sources) {
      const fresh = sources.files.filter(([path]) => !graph.isKnown(path));
      const isLarger = graph.note(instance, sources);
      if (isStopped || !isLarger) return;
      refresh();
      // Written after it was loaded, and before it was watched.
      touch(fresh.filter(([path, loaded]) => (fingerprintOf(path) ?? null) !== loaded).map(([path]) => path));
    },
    keepOnly(instance) {
      graph.keepOnly(instance);
      cancelRefresh ??= clock.after(quiet, refresh);
    },
    setOwn(paths) {
      graph.setOwn(paths);
      for (const path of paths) graph.see(path, fingerprintOf(path) ?? null);
      refresh();
    },
    get folders() {
      return folders.size;
    },
    stop() {
      isStopped = true;
      cancelCheck?.();
      cancelRefresh?.();
      folders.stop();
    },
  };
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return []; // it is gone again
  }
}

/** The folder of each path, or the nearest one that exists; and below the root all those above it. */
function foldersOf(paths: Iterable<string>, root: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const exists = new Map<string, boolean>();
  for (const path of paths) {
    for (let folder = dirname(path), isNear = true; ; folder = dirname(folder)) {
      if (!exists.has(folder)) exists.set(folder, existsSync(folder));
      if (exists.get(folder)) {
        const others = found.get(folder);
        if (others) others.push(path);
        else found.set(folder, [path]);
        isNear = false;
      }
      const isInside = folder.startsWith(root + sep);
      if ((!isNear && !isInside) || folder === dirname(folder)) break;
    }
  }
  return found;
}
