/** The function contexts that the platform would write for a manifest, with the declared component names. */
import type { FunctionContext, OpenFunctionComponent, PluginsTracing } from "../core/function-context";
import type { ComponentDeclaration, FunctionManifest, ManifestInput, ManifestPlugins } from "./normal-form";

/** `components` holds every component the manifest refers to. */
export function contextOf(
  { name, version, runtime, inputs, outputs, plugins, tracing, states }: FunctionManifest,
  components: ReadonlyMap<string, ComponentDeclaration>,
): FunctionContext {
  const named = (component: string) => ({
    componentName: component,
    componentType: typeOf(component, components),
  });
  const describe = ({ component, topic }: ManifestInput): OpenFunctionComponent => ({
    uri: topic ?? component,
    ...named(component),
  });
  return {
    name,
    version,
    runtime,
    inputs: Object.fromEntries(inputs.map((input) => [input.name, describe(input)])),
    outputs: Object.fromEntries(
      outputs.map((output) => [
        output.name,
        {
          ...describe(output),
          ...(output.operation !== undefined && { operation: output.operation }),
          ...(Object.keys(output.metadata).length > 0 && { metadata: output.metadata }),
        },
      ]),
    ),
    ...tracedLists(plugins, tracing),
    ...(tracing && { pluginsTracing: tracing }),
    ...(states.length > 0 && {
      states: Object.fromEntries(states.map(({ name: state, component }) => [state, named(component)])),
    }),
  };
}

// The controller puts the provider last before the call, and first after it, lists or not.
function tracedLists(
  { pre, post }: ManifestPlugins,
  tracing: Record<string, unknown> | undefined,
): Pick<FunctionContext, "prePlugins" | "postPlugins"> {
  const { enabled, provider } = (tracing ?? {}) as PluginsTracing;
  const names = enabled === true && provider?.name ? [provider.name] : [];
  const hasLists = names.length > 0;
  return {
    ...((pre || hasLists) && { prePlugins: [...(pre ?? []), ...names] }),
    ...((post || hasLists) && { postPlugins: [...names, ...(post ?? [])] }),
  };
}

/** The second document, which a v1beta2 Function has: its outputs tell no topics. Undefined for one of v1beta1. */
export function contextV1beta2Of(
  { name, version, inputs, outputs, v1beta2 }: FunctionManifest,
  components: ReadonlyMap<string, ComponentDeclaration>,
): object | undefined {
  if (v1beta2 === undefined) return undefined;
  const { readable, hooks, tracing } = v1beta2;
  const describe = (component: string) => ({
    componentName: component,
    componentType: typeOf(component, components),
  });
  return {
    name,
    version,
    triggers: {
      dapr: inputs.map(({ name: inputName, component, topic }) => ({
        name: component,
        type: typeOf(component, components),
        ...(topic !== undefined && { topic }),
        inputName,
      })),
    },
    inputs: Object.fromEntries(
      readable.map(({ component, topic }) => [
        component,
        { ...describe(component), ...(topic && { topic }) },
      ]),
    ),
    outputs: Object.fromEntries(
      outputs.map(({ component, operation, metadata }) => [
        component,
        { ...describe(component), ...(operation !== undefined && { operation }), metadata },
      ]),
    ),
    ...(hooks.pre && { preHooks: hooks.pre }),
    ...(hooks.post && { postHooks: hooks.post }),
    ...(tracing && tracing.enabled !== false && { tracing }),
  };
}

function typeOf(component: string, components: ReadonlyMap<string, ComponentDeclaration>): string {
  return components.get(component)?.type.toLowerCase() ?? "";
}
