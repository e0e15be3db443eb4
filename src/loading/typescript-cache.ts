/** What the transformer made, kept in a folder: one file a source, so it grows with the project only. */
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { threadId } from "node:worker_threads";

export interface TransformCache {
  /** What was kept for the file under this very key. */
  get(file: string, key: string): unknown;
  /** A cache that cannot be written is no cache, and no error. */
  set(file: string, key: string, value: unknown): void;
}

/** The cache of `FF_CACHE_DIR`, else one in the temp folder of the OS. */
export function openCache(chosen = process.env.FF_CACHE_DIR): TransformCache {
  const folder = chosen ? resolve(chosen, "typescript") : privateFolder();
  return {
    get(file, key) {
      if (folder === undefined) return undefined;
      try {
        const entry = JSON.parse(readFileSync(entryOf(folder, file), "utf8")) as {
          key: string;
          value: unknown;
        };
        return entry.key === key ? entry.value : undefined;
      } catch {
        return undefined; // not there yet, or not readable: it is made anew
      }
    },
    set(file, key, value) {
      if (folder === undefined) return;
      const entry = entryOf(folder, file);
      const draft = `${entry}.${process.pid}-${threadId}`;
      try {
        makeFolder(folder);
        writeFileSync(draft, JSON.stringify({ key, value }), { mode: 0o600 });
        renameSync(draft, entry); // so that nobody reads half of it
      } catch {
        // read-only or full: the next start transforms again
        removeDraft(draft);
      }
    },
  };
}

/** A key that changes with each of the parts. */
export function keyOf(...parts: string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function entryOf(folder: string, file: string): string {
  return join(folder, `${keyOf(file).slice(0, 40)}.json`);
}

// Every process has a draft of its own: left behind, they would fill the disk that is full already.
function removeDraft(draft: string): void {
  try {
    rmSync(draft, { force: true });
  } catch {
    // the folder cannot be written to
  }
}

// Not Node's `recursive`, which never ends where the kernel refuses a folder with ENOENT (below /proc).
function makeFolder(folder: string, { again = true } = {}): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || !again || folder === dirname(folder)) throw err;
    makeFolder(dirname(folder));
    makeFolder(folder, { again: false });
  }
}

// Code is read from here, and everybody may write to the temp folder: it must be ours alone.
function privateFolder(): string | undefined {
  const user = process.getuid?.();
  const folder = join(tmpdir(), `functions-framework-${user ?? "cache"}`);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {
    // it exists, or cannot be made: the next lines tell
  }
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return undefined;
  if (user !== undefined && (found.uid !== user || (found.mode & 0o022) !== 0)) return undefined;
  return join(folder, "typescript");
}
