/** What is served, made from a function and its environment: for the command and for tests of user code alike. */
import { currentInvocation } from "../core/invocation";
import type { Tracing } from "../core/tracing";
import { createOutputs } from "../dapr/outputs";
import { createDaprSdk } from "../dapr/sdk";
import type { SidecarClient } from "../dapr/sidecar-client";
import type { FunctionContext, Hook, Plugins, TypedFormat, UserFunction } from "../functions/types";
import { provideContext } from "../signatures/current-context";
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
  tracing: Tracing | undefined;
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
  tracing,
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
    tracing,
    production: env.NODE_ENV === "production",
  };
  provideContext();
  const pluginHook = createPluginHook(target);
  if (pluginHook === undefined && hooks.length === 0) return target;
  const own = pluginHook ? [pluginHook] : [];
  if (tracing === undefined) return { ...target, hooks: [...hooks, ...own] };
  const named = hooks.map((hook, index) => inSpan(`hook ${hook.name || index + 1}`, hook));
  // The function in a span too: after all pre hooks of plugins, before all post hooks.
  return { ...target, hooks: [...named, ...own, inSpan(`function ${name}`, (_view, next) => next())] };
}

function inSpan(name: string, hook: Hook): Hook {
  return (view, next) => {
    const span = currentInvocation()?.span;
    return span ? span.within(name, () => hook(view, next)) : hook(view, next);
  };
}
