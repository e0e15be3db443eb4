/** Processes by their id. */
import { existsSync, readFileSync } from "node:fs";
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
  const deadline = Date.now() + 30_000;
  while (!isGone(pid)) {
    if (Date.now() > deadline) throw new Error(`process ${pid} is still there`);
    await setTimeout(20); // a poll that leaves the processor to the one it waits for
  }
}

const pageSize = 4096;

/** Linux says it without asking the process; NaN elsewhere. */
export function residentMiB(pid: number): number {
  if (!existsSync("/proc/self/statm")) return Number.NaN;
  const [, pages] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
  return Math.round((Number(pages) * pageSize) / 1024 ** 2);
}
