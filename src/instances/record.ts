/** What is counted, remembered and told of one function's instances. */
import type { Clock } from "../core/clock";
import { describeError, type ErrorDescription } from "../core/log";
import type { LeaseResult } from "./leases";
import type { Slot } from "./slot";
import type { Counters, FunctionStatus, InstanceChange } from "./status";

export interface RecordOptions {
  function: string;
  clock: Pick<Clock, "now">;
  onChange(change: InstanceChange): void;
}

export interface InstanceRecord {
  readonly counters: Readonly<Counters>;
  readonly lastError: FunctionStatus["lastError"];
  /** Errors of before say nothing any more. */
  forgetErrors(): void;
  noteError(error: unknown): void;
  noteRequest(result: LeaseResult): void;
  /** Counts the change of an instance, and tells it. */
  noteChange(slot: Slot, error?: ErrorDescription): void;
  /** Remembers what concerns more than this instance, and tells it with it. */
  noteTrouble(slot: Slot, error: unknown): void;
}

export function createRecord({ function: name, clock, onChange }: RecordOptions): InstanceRecord {
  const counters: Counters = { requests: 0, errors: 0, ms: 0, starts: 0, crashes: 0, restarts: 0 };
  let lastError: FunctionStatus["lastError"];

  const remember = (error: ErrorDescription) => {
    lastError = { ...error, ts: new Date(clock.now()).toISOString() };
  };
  const tell = (slot: Slot, error?: ErrorDescription) => {
    const { id, pid, state, address } = slot.status();
    const functions = slot.instance?.functions ?? [];
    const ended = error && slot.ended;
    onChange({
      function: name,
      instance: id,
      state,
      pid,
      address,
      functions,
      ...(error && { error }),
      ...(ended !== undefined && { ended }),
    });
  };

  return {
    counters,
    get lastError() {
      return lastError;
    },
    forgetErrors() {
      lastError = undefined;
    },
    noteError: (error) => remember(describeError(error)),
    noteRequest({ ok, ms }) {
      counters.requests++;
      counters.ms += ms;
      if (!ok) counters.errors++;
    },
    noteChange(slot, error) {
      if (slot.state === "starting") counters.starts++;
      if (slot.state === "starting" && slot.restarts > 0) counters.restarts++;
      if (error) counters.crashes++;
      if (error) remember(error);
      tell(slot, error);
    },
    noteTrouble(slot, error) {
      remember(describeError(error));
      tell(slot, describeError(error));
    },
  };
}
