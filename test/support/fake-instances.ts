/** Instances without processes: a test says what becomes of each. */
import type { ErrorDescription } from "../../src/core/log";
import { type InstanceSpec, InstanceStartError, type startInstance } from "../../src/instances/instance";
import { settle } from "./clock";
import { deferred } from "./wait";

export interface FakeProcess {
  readonly spec: InstanceSpec;
  readonly pid: number;
  /** Seconds of grace of every stop. */
  readonly stops: number[];
  readonly hasEnded: boolean;
  /** It listens now. */
  ready(): Promise<void>;
  /** The worker says that it cannot be served. */
  refuse(code: string): Promise<void>;
  /** It ends before it is ready. */
  fail(): Promise<void>;
  /** It was ready, and ends by itself. */
  die(how?: string): Promise<void>;
}

/** Starts of a supervisor, in their order. A process that is asked to end ends at once. */
export function createFakeInstances() {
  const processes: FakeProcess[] = [];
  const start: typeof startInstance = (spec, events, signal) => {
    const pid = 1000 + processes.length;
    const ready = deferred();
    const ended = deferred<string>();
    const stops: number[] = [];
    let hasEnded = false;
    const end = (how: string) => {
      hasEnded = true;
      ended.resolve(how);
      return settle();
    };
    const failure = (code: string): ErrorDescription => ({ code, message: `${code} of ${pid}` });
    const reject = (code: string, isFinal: boolean) => {
      ready.reject(new InstanceStartError(failure(code), { isFinal }));
      return end("exit code 1");
    };
    const onAbort = () => void reject("FF_INSTANCE_EXITED", false);
    signal?.addEventListener("abort", onAbort);
    processes.push({
      spec,
      pid,
      stops,
      get hasEnded() {
        return hasEnded;
      },
      ready() {
        signal?.removeEventListener("abort", onAbort);
        ready.resolve();
        return settle();
      },
      refuse: (code) => reject(code, true),
      fail: () => reject("FF_INSTANCE_EXITED", false),
      die: (how = "exit code 3") => end(how),
    });
    events.onSpawn?.(pid);
    return ready.promise.then(() => ({
      pid,
      address: spec.listen,
      functions: [],
      tell: () => undefined,
      ended: ended.promise,
      async stop(grace: number) {
        stops.push(grace);
        void end("exit code 0");
        await ended.promise;
      },
    }));
  };
  return {
    start,
    processes,
    /** The newest one. */
    last(): FakeProcess {
      const one = processes.at(-1);
      if (!one) throw new Error("nothing was started");
      return one;
    },
  };
}
