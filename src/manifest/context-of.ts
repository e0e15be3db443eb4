/** The FUNC_CONTEXT that the platform would write for a manifest, with the declared component names. */
import type { FunctionContext, OpenFunctionComponent } from "../core/function-context";
import type { ComponentDeclaration, FunctionManifest, ManifestInput } from "./normal-form";

/** `components` holds every component the manifest refers to. */
export function contextOf(
  { name, version, runtime, inputs, outputs }: FunctionManifest,
  components: ReadonlyMap<string, ComponentDeclaration>,
): FunctionContext {
  const describe = ({ component, topic }: ManifestInput): OpenFunctionComponent => ({
    uri: topic ?? component,
    componentName: component,
    componentType: components.get(component)?.type.toLowerCase() ?? "",
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
  };
}
