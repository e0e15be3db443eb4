/** Processes by their id. */
import { setTimeout } from "node:timers/promises";

export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

export async function untilGone(pid: number): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!isGone(pid)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} is still there`);
    await setTimeout(20); // a poll that leaves the processor to the one it waits for
  }
}
