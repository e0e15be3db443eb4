/** The instances of one function, of all its generations. */
import type { Slot } from "./slot";

export interface Slots extends Iterable<Slot> {
  add(slot: Slot): void;
  delete(slot: Slot): void;
  /** Those that are not on their way out, the least useful first. */
  live(): Slot[];
  liveOf(generation: number | undefined): Slot[];
  /** Live, but of generations before these: replaced already, they serve until there are enough of the new ones. */
  liveBefore(serving: number | undefined, next: number | undefined): Slot[];
  readonly hasReady: boolean;
  readonly size: number;
}

export function createSlots(): Slots {
  const all = new Set<Slot>();
  const live = () => [...all].filter((slot) => !isLeaving(slot)).sort(leastUsefulFirst);
  return {
    [Symbol.iterator]: () => all.values(),
    add: (slot) => void all.add(slot),
    delete: (slot) => void all.delete(slot),
    live,
    liveOf: (generation) => live().filter((slot) => slot.generation === generation),
    liveBefore: (serving, next) =>
      live().filter(({ generation }) => generation !== serving && generation !== next),
    get hasReady() {
      return [...all].some(isReady);
    },
    get size() {
      return all.size;
    },
  };
}

export const isReady = ({ state }: Slot) => state === "ready";
const isLeaving = ({ state }: Slot) => state === "draining" || state === "stopped";

function leastUsefulFirst(one: Slot, other: Slot): number {
  return Number(isReady(one)) - Number(isReady(other)) || one.inFlight - other.inFlight;
}
