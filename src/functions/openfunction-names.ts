/** Names that functions of OpenFunction's own framework import. */
import type { FunctionContext, OpenFunctionComponent } from "./types";

export const RuntimeType = { Knative: "knative", Async: "async" } as const;
export type RuntimeType = (typeof RuntimeType)[keyof typeof RuntimeType];

export const ComponentType = { Binding: "bindings", PubSub: "pubsub" } as const;
export type ComponentType = (typeof ComponentType)[keyof typeof ComponentType];

export const TraceProviderType = { SkyWalking: "skywalking", OpenTelemetry: "opentelemetry" } as const;
export type TraceProviderType = (typeof TraceProviderType)[keyof typeof TraceProviderType];

/** Questions about a function context and its components. */
export const ContextUtils = {
  IsKnativeRuntime: ({ runtime }: Pick<FunctionContext, "runtime">) => isSame(runtime, RuntimeType.Knative),
  IsAsyncRuntime: ({ runtime }: Pick<FunctionContext, "runtime">) => isSame(runtime, RuntimeType.Async),
  IsBindingComponent: (component: OpenFunctionComponent) => isOfType(component, ComponentType.Binding),
  IsPubSubComponent: (component: OpenFunctionComponent) => isOfType(component, ComponentType.PubSub),
};

function isSame(runtime: unknown, wanted: RuntimeType): boolean {
  return String(runtime).toLowerCase() === wanted;
}

function isOfType({ componentType }: OpenFunctionComponent, wanted: ComponentType): boolean {
  return componentType.split(".", 1)[0] === wanted;
}
