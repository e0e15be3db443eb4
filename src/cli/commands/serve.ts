/** `functions-framework [serve]`: load, listen, say so. */

import { createLifecycle } from "../../core/lifecycle";
import { configureLog, log, throwProblems } from "../../core/log";
import { logSettingsOf, readServeFlags } from "../../core/read-flags";
import { printBanner } from "../../serving/banner";
import { serveFromFlags } from "../../serving/from-flags";

/** `told`: what the log says first, once it is configured. */
export async function serveCommand(args: string[], told: readonly string[] = []): Promise<void> {
  const { values, explicit, warnings, problems } = readServeFlags(args, process.env);
  configureLog(logSettingsOf("serve", values));
  for (const warning of [...told, ...warnings]) log.warn(warning);
  throwProblems(problems);
  const lifecycle = createLifecycle(); // from here on a signal drains, loading included
  printBanner(await serveFromFlags({ flags: { values, explicit }, lifecycle, env: process.env }));
}
