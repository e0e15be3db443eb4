/** The entry of the package: what user code registers with, and the types of what it is given. */
import { lazyRequire } from "./core/lazy";
import type { RunningServer } from "./serving/programmatic";

export { isFrameworkError } from "./core/errors";
export type { SidecarRefusal } from "./dapr/sidecar-client";
export { currentContext } from "./functions/current-context";
export { use } from "./functions/hooks";
export { ComponentType, ContextUtils, RuntimeType, TraceProviderType } from "./functions/openfunction-names";
export { DropMessage, RetryMessage, type RetryMessageOptions } from "./functions/outcomes";
export { Plugin } from "./functions/plugin";
export { cloudEvent, event, http, openfunction, typed } from "./functions/registry";
export { onStart, onStop } from "./functions/start-stop";
export type * from "./functions/types";
export type { RunningServer, ServeFunctionOptions } from "./serving/programmatic";
export type { SendError } from "./signatures/sends";

type Serve = typeof import("./serving/programmatic").serve;

/**
 * Serves a function, or registered ones by name, from a script of your own:
 *
 *     const server = await serve((req, res) => res.send("hi"), { port: 8080 });
 *     await server.close();
 */
export function serve(target: Parameters<Serve>[0], options?: Parameters<Serve>[1]): Promise<RunningServer> {
  // Loaded when called: who only registers does not pay for the server.
  return (lazyRequire("../serving/programmatic.js") as { serve: Serve }).serve(target, options);
}
