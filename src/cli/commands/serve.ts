/** `functions-framework [serve]`: load, listen, say so. */
import { createRequire } from "node:module";

import { createLifecycle } from "../../core/lifecycle";
import { configureLog, log, throwProblems } from "../../core/log";
import { untilWritten } from "../../core/output";
import { logSettingsOf, readServeFlags } from "../../core/read-flags";
import type { RunningWorkers, WorkersOptions } from "../../instances/workers";
import { printBanner } from "../../serving/banner";
import type { Running } from "../../serving/options";

const load = createRequire(__filename);

/** `told`: what the log says first, once it is configured. */
export async function serveCommand(args: string[], told: readonly string[] = []): Promise<void> {
  const { values, explicit, warnings, problems } = readServeFlags(args, process.env);
  configureLog(logSettingsOf("serve", values));
  for (const warning of [...told, ...warnings]) log.warn(warning);
  throwProblems(problems);
  const lifecycle = createLifecycle(); // from here on a signal drains, loading included
  const options = { flags: { values, explicit }, lifecycle, env: process.env };
  printBanner(values.workers > 1 ? await serveShared(args, options) : await serveAlone(options));
}

// Loaded when chosen: the parent of workers runs no user code, and one process alone needs no supervisor.
function serveAlone(options: Omit<WorkersOptions, "args">): Promise<Running> {
  const { serveFromFlags } = load("../../serving/from-flags.js") as typeof import("../../serving/from-flags");
  return serveFromFlags(options);
}

async function serveShared(args: string[], options: Omit<WorkersOptions, "args">): Promise<RunningWorkers> {
  const workers = load("../../instances/workers.js") as typeof import("../../instances/workers");
  const started = await workers.startWorkers({ ...options, args });
  if (!("exitCode" in started)) return started;
  await untilWritten();
  process.exit(started.exitCode);
}
