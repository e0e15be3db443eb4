/** The metrics of all workers, for the one that was asked. */
import type { Clock } from "../core/clock";
import { mergeMetrics } from "../telemetry/merge-metrics";

/** A worker, as far as its metrics are concerned. */
export interface Measured {
  /** Asks it for its metrics. */
  measure(): void;
}

export interface Gather<M extends Measured> {
  join(member: M): void;
  /** It has told its metrics. */
  told(member: M, text: string): void;
  /** It is gone; its counters go on counting. */
  leave(member: M): void;
  /** Of those that have not answered within a second the last known ones are taken. */
  text(): Promise<string>;
}

const patience = 1_000; // ms
const afterTheEnd = 1_000; // what it has told last may still come

interface State {
  text: string;
  isGone: boolean;
  /** It was asked, and has not answered yet. */
  isAsked: boolean;
}

export function createGather<M extends Measured>({ clock }: { clock: Clock }): Gather<M> {
  const members = new Map<M, State>();
  let ended = ""; // the counters of all that are gone, as one text
  let current: { text: Promise<string>; noteAnswer: () => void } | undefined;

  function merged(): string {
    const states = [...members.values()];
    const textsOf = (gone: boolean) => states.filter(({ isGone }) => isGone === gone).map(({ text }) => text);
    return mergeMetrics({ live: textsOf(false), ended: [ended, ...textsOf(true)] });
  }

  function ask(): NonNullable<typeof current> {
    for (const [member, state] of members) {
      state.isAsked = !state.isGone;
      if (state.isAsked) member.measure();
    }
    let noteAnswer: () => void = () => undefined;
    const text = new Promise<string>((resolve) => {
      const finish = () => {
        cancel();
        current = undefined;
        resolve(merged());
      };
      const cancel = clock.after(patience, finish);
      noteAnswer = () => {
        if (![...members.values()].some(({ isAsked, isGone }) => isAsked && !isGone)) finish();
      };
    });
    return { text, noteAnswer };
  }

  return {
    join: (member) => void members.set(member, { text: "", isGone: false, isAsked: false }),
    told(member, text) {
      const state = members.get(member);
      if (!state) return;
      state.text = text;
      state.isAsked = false;
      current?.noteAnswer();
    },
    leave(member) {
      const state = members.get(member);
      if (!state) return;
      state.isGone = true;
      current?.noteAnswer();
      clock.after(afterTheEnd, () => {
        ended = mergeMetrics({ live: [], ended: [ended, state.text] });
        members.delete(member);
      });
    },
    text() {
      current ??= ask(); // who comes meanwhile gets the same
      return current.text;
    },
  };
}
