/** From what is loaded and what the flags say to functions that are served: the same for the command, a worker, and `serve()`. */
import type { Lifecycle } from "../core/lifecycle";
import type { ParsedFlags } from "../core/read-flags";
import { registeredHooks } from "../functions/hooks";
import { lifecycleExportsOf, runStart, stopWork } from "../functions/start-stop";
import type { FunctionContext, Plugins } from "../functions/types";
import type { LoadedModule } from "../loading/loaded";
import { openTracing } from "../tracing/open";
import { installExecutionLog } from "./execution-log";
import { installGuard } from "./guard";
import { addressFrom, type ListenAddress } from "./listen";
import type { Running, ServeOptions } from "./options";
import { serve } from "./serve";

export interface LaunchOptions {
  loaded: Pick<LoadedModule, "functions" | "exported">;
  flags: Pick<ParsedFlags, "values" | "explicit">;
  context: FunctionContext | undefined;
  plugins: Plugins;
  lifecycle: Lifecycle;
  env: NodeJS.ProcessEnv;
  /** Default: host and port of the flags; the port of the context when the flags name none. */
  address?: ListenAddress;
  /** Default: the flag's. */
  gracePeriod?: () => number;
  /** What `/metrics` tells, made from the process's own. Default: just that. */
  metricsOfAll?: ServeOptions["metricsOfAll"];
}

/** Runs the user's work at the start, then listens. Errors: FF_START_FAILED, FF_TRACING_*, and those of `serve`. */
export async function launch(options: LaunchOptions): Promise<Running> {
  const { loaded, flags, context, plugins, lifecycle, env } = options;
  const { values } = flags;
  const exports = lifecycleExportsOf(
    loaded.exported,
    loaded.functions.map(({ name }) => name),
  );
  installGuard(lifecycle);
  if (values["log-execution-id"]) lifecycle.onStop(installExecutionLog());
  const tracing = openTracing({
    context,
    name: loaded.functions[0]?.name ?? "function",
    file: loaded.functions[0]?.file,
    innerEvents: values["inner-events"],
    env,
  });
  if (tracing) lifecycle.onStop(tracing.flush); // at the very end: what was stated first is closed last
  await runStart(exports);
  return serve({
    functions: loaded.functions,
    signature: values["signature-type"],
    context,
    hooks: registeredHooks(),
    plugins,
    tracing,
    address: options.address ?? addressFrom(flags, context),
    limits: {
      bodyLimit: values["body-limit"],
      bodyMode: values["body-mode"],
      timeout: values.timeout,
      maxConcurrency: values["max-concurrency"],
      queue: values.queue,
      retry: values.retry,
    },
    ignoredRoutes: values["ignored-routes"],
    health: values.health ? exports : undefined,
    metrics: values.metrics,
    metricsOfAll: options.metricsOfAll,
    onStop: stopWork(exports),
    gracePeriod: options.gracePeriod ?? (() => values["grace-period"]),
    lifecycle,
    env,
  });
}
