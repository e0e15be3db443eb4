/** How much memory processes hold while they work; on Linux alone, which says it without asking them. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { residentMiB } from "../processes";

interface Watched {
  name: string;
  pid: number;
}

const every = 1_000; // looks

export function watchMemory(processes: readonly Watched[]) {
  const isKnown = existsSync("/proc/self/statm");
  const series = new Map(processes.map(({ name }) => [name, [] as number[]]));
  let looks = 0;

  return {
    /** Cheap: reads at every thousandth call. */
    look(): void {
      if (!isKnown || looks++ % every !== 0) return;
      for (const { name, pid } of processes) series.get(name)?.push(residentMiB(pid));
    },

    lines: (): string[] =>
      [...series].flatMap(([name, seen]) =>
        seen.length < 2 ? [] : [`${name}: ${quarters(seen).join(", ")} MiB resident, at quarters of the way`],
      ),

    /** After its first quarter a process has met everything: what it holds may go up and down, but not up and up. */
    assertBounded(): void {
      for (const [name, seen] of series) {
        const rest = seen.slice(Math.ceil(seen.length / 4));
        if (rest.length < 8) continue;
        const half = rest.length >> 1;
        const [early, late] = [median(rest.slice(0, half)), median(rest.slice(half))];
        assert.ok(late < early * 1.3 + 30, `${name} grows from ${early} to ${late} MiB`);
      }
    },
  };
}

function quarters(seen: readonly number[]): number[] {
  return [0, 1, 2, 3, 4].map((quarter) => seen[Math.round(((seen.length - 1) * quarter) / 4)] ?? 0);
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? 0;
}
