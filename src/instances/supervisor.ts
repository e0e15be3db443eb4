/**
 * Runs functions as processes: what `--workers`, `dev` and the gateway have in common. What they want is a list of
 * specs; who needs an instance takes a lease of it.
 */
import { type Clock, realClock } from "../core/clock";
import { asFrameworkError, type FrameworkError, frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { startInstance } from "./instance";
import type { Lease } from "./leases";
import type { LogLine, ReadLogsOptions } from "./logs";
import { Pool } from "./pool";
import { createSocketFolder } from "./sockets";
import { type FunctionSpec, limitsOf, type ProcessSettings, processSettingsOf } from "./spec";
import { type ProcessHooks, startProcess } from "./start-process";
import type { FunctionStatus, InstanceChange } from "./status";

export interface SupervisorOptions extends ProcessHooks {
  /** What the environment of every process begins with. Default: this process's. */
  env?: NodeJS.ProcessEnv;
  /** Default: real processes. */
  start?: typeof startInstance;
  clock?: Clock;
  /** Told of every change of an instance's state. */
  onChange?(change: InstanceChange): void;
}

export interface Supervisor {
  /**
   * Makes these, and no others, run. What does not change goes on; of what changes the new instance starts first and
   * the old one drains when it is ready; what is not named any more drains. Resolves when each of them runs, or its
   * status says why it does not.
   */
  apply(specs: readonly FunctionSpec[]): Promise<void>;
  /**
   * The instance that has least to do, now or as soon as one has a place. Abort takes the wish back; a lease that was
   * granted before must be released all the same. Errors: FF_INSTANCE_UNKNOWN_FUNCTION, FF_INSTANCE_QUEUE_FULL,
   * FF_INSTANCE_QUEUE_TIMEOUT, FF_INSTANCE_CRASH_LOOP, FF_INSTANCE_LOAD_FAILED.
   */
  acquire(name: string, options?: { signal?: AbortSignal | undefined }): Promise<Lease>;
  /** Error: FF_INSTANCE_UNKNOWN_FUNCTION, as for all that take a name. */
  status(name: string): FunctionStatus;
  status(): FunctionStatus[];
  /** So many instances, for ten seconds at least; then the demand decides again. Error: FF_INSTANCE_SCALE. */
  scale(name: string, instances: number): void;
  /** New processes for all instances, as if its settings had changed. Resolves as `apply` does. */
  restart(name: string): Promise<void>;
  /** Requests wait, also those that an instance could take, until the returned function is called. Twice is fine. */
  hold(name: string): () => void;
  logs(name: string, options?: ReadLogsOptions): AsyncGenerator<LogLine>;
  /** Drains all within the grace period (seconds; default: each function's own). Twice is fine. */
  stop(grace?: number): Promise<void>;
}

export function createSupervisor(options: SupervisorOptions = {}): Supervisor {
  const { env = process.env, start = startInstance, clock = realClock, onChange } = options;
  const pools = new Map<string, Pool>();
  const specs = new Map<string, FunctionSpec>();
  const leaving = new Map<Pool, number>(); // removed and not ended yet, with their grace period
  const sockets = createSocketFolder();
  const onExit = () => sockets.remove();
  let instances = 0;
  let stopped: Promise<void> | undefined;
  process.on("exit", onExit); // also when nobody had the time to stop it

  function createPool(spec: FunctionSpec): Pool {
    const { name } = spec;
    const pool = new Pool({
      function: name,
      limits: limitsOf(spec),
      clock,
      nextId: () => `${name}-${++instances}`,
      startProcess: (slot, { logs, limits: { startTimeout } }, settings, signal) =>
        startProcess(slot, { start, hooks: options, logs, sockets, settings, startTimeout }, signal),
      onChange: (change) => onChange?.(change),
    });
    pools.set(name, pool);
    return pool;
  }

  function poolOf(name: string): Pool {
    return pools.get(name) ?? raise(unknown(name));
  }

  const unknown = (name: string) =>
    frameworkError("FF_INSTANCE_UNKNOWN_FUNCTION", { function: name, known: [...pools.keys()] });

  /** With settings that can be used, or the pool told why not. */
  function withSettings(pool: Pool, spec: FunctionSpec, use: (settings: ProcessSettings) => Promise<void>) {
    try {
      return use(processSettingsOf(spec, env));
    } catch (err) {
      return pool.keep(asFrameworkError(err));
    }
  }

  function remove(name: string, pool: Pool, grace = pool.limits.grace): Promise<void> {
    pools.delete(name);
    specs.delete(name);
    leaving.set(pool, grace);
    return pool.stop(grace, () => unknown(name)).finally(() => leaving.delete(pool));
  }

  return {
    async apply(wanted) {
      if (stopped) return;
      const names = new Set(wanted.map(({ name }) => name));
      for (const [name, pool] of pools) if (!names.has(name)) background(remove(name, pool));
      const settled = wanted.map((spec) => {
        const pool = pools.get(spec.name) ?? createPool(spec);
        specs.set(spec.name, spec);
        return withSettings(pool, spec, (settings) => pool.apply(limitsOf(spec), settings));
      });
      await Promise.all(settled);
    },
    acquire: async (name, wish) => poolOf(name).acquire(wish),
    status: ((name?: string) =>
      name === undefined
        ? [...pools.values()].map((pool) => pool.status())
        : poolOf(name).status()) as Supervisor["status"],
    scale: (name, count) => poolOf(name).scale(count),
    async restart(name) {
      const pool = poolOf(name);
      const spec = specs.get(name);
      if (spec) await withSettings(pool, spec, (settings) => pool.restart(settings));
    },
    hold: (name) => poolOf(name).hold(),
    logs: (name, wish) => poolOf(name).logs.read(wish),
    stop(grace) {
      stopped ??= finish(grace);
      return stopped;
    },
  };

  async function finish(grace: number | undefined): Promise<void> {
    sockets.close();
    const earlier = [...leaving].map(([pool, own]) => pool.stop(grace ?? own, () => unknown("")));
    await Promise.all([...earlier, ...[...pools].map(([name, pool]) => remove(name, pool, grace))]);
    sockets.remove();
    process.off("exit", onExit);
  }
}

function raise(error: FrameworkError): never {
  throw error;
}
