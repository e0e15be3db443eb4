// What a process has used, from /proc.
import { readFileSync } from "node:fs";

const ticksPerSecond = 100; // USER_HZ, the same on every Linux that Node runs on

/** User and system time of all threads, in seconds; of the processes that it has started, too. */
export function cpuSeconds(pid) {
  return sumOf(pid, cpuSecondsOf);
}

/** Resident memory, in MiB; that of the processes that it has started, too. */
export function memory(pid) {
  return sumOf(pid, memoryOf);
}

function sumOf(pid, measure) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean);
  return [pid, ...children].reduce((total, one) => total + measure(one), 0);
}

function cpuSecondsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name before it may hold anything
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return (user + system) / ticksPerSecond;
}

function memoryOf(pid) {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kilobytes) / 1024;
}
