/** What is counted, remembered and told of one function's instances. */
import type { Clock } from "../core/clock";
import type { FrameworkError } from "../core/errors";
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
  noteError(error: FrameworkError): void;
  noteRequest(result: LeaseResult): void;
  /** Counts the change of an instance, and tells it. */
  noteChange(slot: Slot, error?: ErrorDescription): void;
  /** It was once too often: tells it after the change, and remembers what happened the last time with it. */
  noteCrashLoop(slot: Slot, error: FrameworkError, lastTime: ErrorDescription): void;
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
    noteCrashLoop(slot, error, lastTime) {
      const described = describeError(error);
      remember({ ...described, message: `${described.message} ${lastTime.message}` });
      tell(slot, described);
    },
  };
}
