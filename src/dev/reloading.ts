/** The functions of a session start again when what they are made of changes: modules, env files, manifests. */
import { dirname } from "node:path";

import { type Clock, realClock } from "../core/clock";
import { frameworkError } from "../core/errors";
import { describeError } from "../core/log";
import type { startInstance } from "../instances/instance";
import type { SourceReport } from "../instances/messages";
import { type Change, createReloads, type ReloadsOptions } from "../instances/reloads";
import { createSpares } from "../instances/spares";
import type { InstanceChange } from "../instances/status";
import type { Supervisor } from "../instances/supervisor";
import { createSourceWatch, type SourceWatch } from "../instances/watch";
import type { Emit } from "./events";
import type { FunctionRun } from "./function-run";

export interface ReloadingOptions {
  runs: ReadonlyMap<string, FunctionRun>;
  supervisor(): Pick<Supervisor, "hold" | "restart">;
  /** Applies what manifests and env files say now. */
  reconfigure(change: Change): Promise<void>;
  emit: Emit;
}

export interface Reloading {
  /** With a spare worker where there is one. */
  start: typeof startInstance;
  onSources(from: { function: string; instance: string }, sources: SourceReport): void;
  noteChange(change: InstanceChange): void;
  /** Manifests and env files, which concern all functions. */
  watchSettings(files: readonly string[]): void;
  /** Twice is fine. */
  stop(): void;
}

interface Watching {
  watch: SourceWatch;
  stop(): void;
}

export function createReloading({ runs, supervisor, reconfigure, emit }: ReloadingOptions): Reloading {
  const clock = realClock;
  const spares = createSpares({ clock });
  const watching = new Map<string, Watching>();
  let settings: Watching | undefined;
  let isTold = false;
  let isStopped = false;

  function onPolling(why: string): void {
    if (!isTold) emit("error", describeError(frameworkError("FF_WATCH_POLLING", { why })));
    isTold = true;
  }

  const holdOf = ({ plan: { name }, pause }: FunctionRun) => {
    const releases = [supervisor().hold(name), pause()];
    return () => releases.forEach((release) => void release());
  };

  async function restart(run: FunctionRun, change: Change): Promise<void> {
    const done = run.noteReload(change);
    await supervisor().restart(run.plan.name);
    done();
  }

  function watchingOf(name: string): Watching | undefined {
    const run = runs.get(name);
    const known = watching.get(name);
    if (known || !run || isStopped) return known;
    const made = startWatching(run.plan.folder, onPolling, {
      clock,
      hold: () => holdOf(run),
      restart: (change) => restart(run, change),
    });
    watching.set(name, made);
    return made;
  }

  return {
    start: spares.start,
    onSources({ function: name, instance }, sources) {
      spares.noteNeeds(name, sources.needs);
      watchingOf(name)?.watch.note(instance, sources);
    },
    noteChange({ function: name, instance, state }) {
      if (state !== "ready") return;
      watching.get(name)?.watch.keepOnly(instance);
      spares.prepare(name);
    },
    watchSettings(files) {
      settings ??= startWatching(dirname(files[0] ?? ""), onPolling, {
        clock,
        hold() {
          const releases = [...runs.values()].map(holdOf);
          return () => releases.forEach((release) => void release());
        },
        restart: reconfigure,
      });
      settings.watch.setOwn(files);
    },
    stop() {
      isStopped = true;
      spares.stop();
      settings?.stop();
      for (const one of watching.values()) one.stop();
    },
  };
}

function startWatching(
  root: string,
  onPolling: (why: string) => void,
  options: ReloadsOptions & { clock: Clock },
): Watching {
  const reloads = createReloads(options);
  const watch = createSourceWatch({
    clock: options.clock,
    root,
    onSeen: reloads.noteSeen,
    onChange: reloads.noteChange,
    onNothing: reloads.noteNothing,
    onPolling,
  });
  return {
    watch,
    stop() {
      watch.stop();
      reloads.stop();
    },
  };
}
