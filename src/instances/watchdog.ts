/** A thread of a worker: when the parent is gone, it ends a process that does not end itself. */
import { parentPort, workerData } from "node:worker_threads";

import { removeSockets } from "./sockets";

export interface WatchdogData {
  /** Process id of the parent. */
  parent: number;
}

/** The process answers; or what it knows only after its start. */
export type WatchdogMessage = "alive" | WatchdogLimits;

interface WatchdogLimits {
  /** Milliseconds that a process which still answers has for its drain. */
  grace: number;
  /** Path of its UNIX socket: a kill leaves it and its folder behind. */
  socket: string | undefined;
}

const { parent } = workerData as WatchdogData;
let { grace, socket }: WatchdogLimits = { grace: 0, socket: undefined };
const pollEvery = 500; // ms
const answerWithin = 1_000;

const poll = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(poll);
  let end = setTimeout(kill, answerWithin);
  parentPort?.postMessage("orphaned");
  // A process that answers is draining and gets its grace period.
  onAlive = () => {
    clearTimeout(end);
    end = setTimeout(kill, grace + answerWithin);
  };
}, pollEvery);
let onAlive: () => void = () => undefined;

parentPort?.on("message", (message: WatchdogMessage) => {
  if (message === "alive") return onAlive();
  ({ grace, socket } = message);
});

function kill(): void {
  if (socket !== undefined) removeSockets(socket);
  process.kill(process.pid, "SIGKILL");
}
