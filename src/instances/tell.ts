/** A worker's word to its parent. */
import type { WorkerMessage } from "./messages";

/** `done` is called when it is written, or the parent is gone. */
export function tell(message: WorkerMessage, done?: () => void): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => done?.());
  else done?.();
}
