/** What is served, made from a function and its environment: for the command and for tests of user code alike. */
import { createOutputs } from "../dapr/outputs";
import { createDaprSdk } from "../dapr/sdk";
import type { SidecarClient } from "../dapr/sidecar-client";
import type { FunctionContext, Hook, Plugins, TypedFormat, UserFunction } from "../functions/types";
import { createPluginHook } from "../signatures/plugins";
import type { Target } from "../signatures/signature";

export interface TargetOptions {
  name: string;
  function: UserFunction;
  format: TypedFormat | undefined;
  context: FunctionContext | undefined;
  /** Around every call, outermost first; plugins run inside of them. */
  hooks: readonly Hook[];
  plugins: Plugins;
  sidecar: SidecarClient;
  env: NodeJS.ProcessEnv;
}

/** Opens no connection. */
export function createTarget({
  name,
  function: fn,
  format,
  context,
  hooks,
  plugins,
  sidecar,
  env,
}: TargetOptions): Target {
  const target: Target = {
    name,
    function: fn,
    format,
    context,
    outputs: createOutputs(context?.outputs ?? {}, sidecar),
    sidecar,
    dapr: createDaprSdk(sidecar.sidecar),
    hooks,
    plugins,
    production: env.NODE_ENV === "production",
  };
  const pluginHook = createPluginHook(target);
  return pluginHook ? { ...target, hooks: [...hooks, pluginHook] } : target;
}
