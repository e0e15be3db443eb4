/** `functions-framework [serve]`: load, listen, say so. */

import { createLifecycle } from "../../core/lifecycle";
import { configureLog, log, throwProblems } from "../../core/log";
import { logSettingsOf, readServeFlags } from "../../core/read-flags";
import { loadFunction } from "../../functions/load";
import { parseFunctionContext } from "../../manifest/function-context";
import { installGuard } from "../../serving/guard";
import { type RunningFunction, serve } from "../../serving/serve";

export async function serveCommand(args: string[]): Promise<void> {
  const { values, explicit, warnings, problems } = readServeFlags(args, process.env);
  configureLog(logSettingsOf("serve", values));
  for (const warning of warnings) log.warn(warning);
  throwProblems(problems);
  const lifecycle = createLifecycle(); // from here on a signal drains, loading included
  const context = values.context === undefined ? undefined : parseFunctionContext(values.context);
  const loaded = await loadFunction({ source: values.source, target: values.target });
  if (loaded.chosen) log.info(`No target is given: "${loaded.name}" is the only function, so it is served.`);
  installGuard(lifecycle);
  const contextPort = context?.port ? Number(context.port) : undefined;
  const running = await serve({
    loaded,
    signature: values["signature-type"],
    context,
    listen: {
      // "::" is Node's own default, which falls back to IPv4 where there is no IPv6.
      host: values.host === "::" ? undefined : values.host,
      port: explicit.has("port") ? values.port : (contextPort ?? values.port),
    },
    bodyLimit: values["body-limit"],
    gracePeriod: () => values["grace-period"],
    lifecycle,
    env: process.env,
  });
  if (process.env.NODE_ENV !== "production") printBanner(running);
}

// Four lines on stdout that compatible tools read.
function printBanner({ name, signature, port }: RunningFunction): void {
  process.stdout.write(
    `Serving function...\nFunction: ${name}\nSignature type: ${signature}\nURL: http://localhost:${port}/\n`,
  );
}
