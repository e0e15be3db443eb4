/** A thread of a worker: when the parent is gone, it ends a process that does not end itself. */
import { parentPort, workerData } from "node:worker_threads";

import { removeSocket } from "./sockets";

export interface WatchdogData {
  /** Process id of the parent. */
  parent: number;
  /** Milliseconds that a process which still answers has for its drain. */
  grace: number;
  /** Path of the UNIX socket that is left behind by a kill. */
  socket: string | undefined;
}

const { parent, grace, socket } = workerData as WatchdogData;
const pollEvery = 500; // ms
const answerWithin = 1_000;

const poll = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(poll);
  let end = setTimeout(kill, answerWithin);
  parentPort?.postMessage("orphaned");
  // A process that answers is draining and gets its grace period.
  parentPort?.once("message", () => {
    clearTimeout(end);
    end = setTimeout(kill, grace + answerWithin);
  });
}, pollEvery);

function kill(): void {
  if (socket !== undefined) removeSocket(socket);
  process.kill(process.pid, "SIGKILL");
}
