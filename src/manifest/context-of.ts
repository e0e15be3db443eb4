/** The FUNC_CONTEXT that the platform would write for a manifest, with the declared component names. */
import type { FunctionContext, OpenFunctionComponent } from "../core/function-context";
import type { ComponentDeclaration, FunctionManifest, ManifestInput } from "./normal-form";

/** `components` holds every component the manifest refers to. */
export function contextOf(
  { name, version, runtime, inputs, outputs, states }: FunctionManifest,
  components: ReadonlyMap<string, ComponentDeclaration>,
): FunctionContext {
  const named = (component: string) => ({
    componentName: component,
    componentType: components.get(component)?.type.toLowerCase() ?? "",
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
    ...(states.length > 0 && {
      states: Object.fromEntries(states.map(({ name: state, component }) => [state, named(component)])),
    }),
  };
}
