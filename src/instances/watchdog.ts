/** A thread of a worker: when the parent is gone, it ends a process that does not end itself. */
import { parentPort, workerData } from "node:worker_threads";

const { parent, grace } = workerData as { parent: number; grace: number };
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
  process.kill(process.pid, "SIGKILL");
}
