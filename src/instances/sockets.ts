/** The UNIX sockets that instances listen on: files in a folder that nobody else can look into. */
import { existsSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { frameworkError, messageOf } from "../core/errors";

export interface SocketFolder {
  /** A path that was not used before; the folder is made with the first one. */
  next(): string;
  /** Nobody will connect to this one any more. */
  release(path: string): void;
  /** Nothing starts any more: the folder goes with the last socket, so that a kill at the end leaves none. */
  close(): void;
  /** With all that is in it. Twice is fine. */
  remove(): void;
}

// sockaddr_un has 104 bytes on macOS and 108 on Linux, the final zero included.
const longest = 103;
const name = "ff-";
const restOfPath = "/ff-XXXXXX/123456.sock".length;

export function createSocketFolder(): SocketFolder {
  let folder: string | undefined;
  let count = 0;
  let isClosing = false;
  return {
    next() {
      // Temp folders are swept now and then. mkdtemp(3): mode 0700.
      if (folder === undefined || !existsSync(folder)) folder = makeFolder();
      return join(folder, `${++count}.sock`);
    },
    release(path) {
      if (!isClosing) return; // its process removes it as it ends
      rmSync(path, { force: true });
      removeEmpty(dirname(path));
    },
    close() {
      isClosing = true;
    },
    remove() {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      folder = undefined;
    },
  };
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Another socket is in it, or it is gone.
  }
}

/**
 * For a worker whose parent cannot tidy up any more: nobody will connect again, to its socket or to another one's. One
 * that is only now about to listen there finds no folder.
 */
export function removeSockets(path: string): void {
  try {
    rmSync(dirname(path), { recursive: true, force: true });
  } catch {
    // Another worker does the same.
  }
}

// The system's temp folder, unless its name is too long or nothing can be written there.
function makeFolder(): string {
  const isShort = Buffer.byteLength(tmpdir()) + restOfPath <= longest;
  try {
    if (isShort) return mkdtempSync(join(tmpdir(), name));
  } catch {
    // said by the next one, when that fails too
  }
  try {
    return mkdtempSync(join("/tmp", name));
  } catch (err) {
    throw frameworkError("FF_LISTEN_FAILED", { address: "/tmp", why: messageOf(err) }, { cause: err });
  }
}
