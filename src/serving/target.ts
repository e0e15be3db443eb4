/** What is served, made from a function and its environment: for the command and for tests of user code alike. */
import { createOutputs } from "../dapr/outputs";
import { createDaprSdk } from "../dapr/sdk";
import { sidecarFrom } from "../dapr/sidecar";
import type { FunctionContext, UserFunction } from "../functions/types";
import type { Target } from "../signatures/signature";

export interface TargetOptions {
  name: string;
  function: UserFunction;
  context: FunctionContext | undefined;
  env: NodeJS.ProcessEnv;
}

/** Opens no connection. Error: FF_OPTION_INVALID for an address of the sidecar that is none. */
export function createTarget({ name, function: fn, context, env }: TargetOptions): Target {
  const sidecar = sidecarFrom(env);
  return {
    name,
    function: fn,
    context,
    outputs: createOutputs(context?.outputs ?? {}, sidecar),
    dapr: createDaprSdk(sidecar),
    production: env.NODE_ENV === "production",
  };
}
