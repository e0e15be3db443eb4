/** What tells one content of a file from another: a touch or a copy of the same bytes is no change. */
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

const readUpTo = 1024 * 1024; // bytes; above it, size and time of the last change decide

/** Undefined where there is nothing that can be read; a folder is one whatever is in it. */
export function fingerprintOf(file: string, onRead?: (bytes: Buffer) => void): string | undefined {
  try {
    const stats = statSync(file);
    if (stats.isDirectory()) return "folder";
    if (!stats.isFile()) return undefined; // a pipe would be waited for
    if (stats.size > readUpTo) return `${stats.size} bytes of ${stats.mtimeMs}`;
    const bytes = readFileSync(file);
    onRead?.(bytes);
    return hash(bytes);
  } catch {
    return undefined;
  }
}

const hash = (bytes: Buffer) => createHash("sha1").update(bytes).digest("base64");

/** Of a file without content. */
export const emptyFingerprint = hash(Buffer.alloc(0));
