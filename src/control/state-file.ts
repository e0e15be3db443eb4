/**
 * How a command finds the one that runs for the same folder: a file in the temp folder of the system, which says
 * where its control API is.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { frameworkError, messageOf } from "../core/errors";
import { isRecord } from "../core/value";

export interface RunState {
  pid: number;
  /** URL of its control API. */
  control: string;
  /** Of the framework. */
  version: string;
}

export interface LeftState {
  /** Whose file was there: a process that is alive, and is not found any more. */
  replaced: RunState | undefined;
  /** Takes it back, unless another process has left its own meanwhile. Twice is fine. */
  remove(): void;
}

/** Leaves the state for those who look for it from this working folder. Error: FF_STATE_FILE. */
export function leaveState(folder: string, state: RunState): LeftState {
  const replaced = readState(folder);
  const file = stateFileOf(folder);
  const draft = `${file}.${randomUUID()}`;
  try {
    writeFileSync(draft, JSON.stringify(state), { mode: 0o600, flag: "wx" });
    renameSync(draft, file); // nobody reads half of it
  } catch (err) {
    rmSync(draft, { force: true });
    throw frameworkError("FF_STATE_FILE", { file, why: messageOf(err) }, { cause: err });
  }
  return {
    replaced: replaced?.pid === state.pid ? undefined : replaced,
    remove() {
      if (readState(folder)?.pid === state.pid) rmSync(file, { force: true });
    },
  };
}

/** What runs for this working folder; undefined when nothing does. */
export function readState(folder: string): RunState | undefined {
  const text = readOwn(stateFileOf(folder));
  const state = text === undefined ? undefined : parseState(text);
  return state && isAlive(state.pid) ? state : undefined;
}

/** Where the state of what runs for a folder is. */
export function stateFileOf(folder: string): string {
  const name = createHash("sha256").update(realpathSync(folder)).digest("hex").slice(0, 32);
  return join(tmpdir(), `functions-framework-${name}.json`);
}

// The temp folder may be everybody's: what another user has put there says nothing.
function readOwn(file: string): string | undefined {
  let handle: number | undefined;
  try {
    handle = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const { uid, mode } = fstatSync(handle);
    const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o077) === 0);
    return isOwn ? readFileSync(handle, "utf8") : undefined;
  } catch {
    return undefined; // most of the time there is none
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function parseState(text: string): RunState | undefined {
  try {
    const state: unknown = JSON.parse(text);
    if (!isRecord(state)) return undefined;
    const { pid, control, version } = state;
    if (typeof pid !== "number" || typeof control !== "string" || typeof version !== "string")
      return undefined;
    return { pid, control, version };
  } catch {
    return undefined; // not one of ours
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false; // 0 and below would ask for groups of processes
  try {
    process.kill(pid, 0);
    return true;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === "EPERM"; // it is there, and somebody else's
  }
}
