/** secretstores.local.env: the environment of the runtime. */
import type { ComponentType, SecretStoreComponent } from "./component";
import { readMetadata } from "./metadata";

export const secretsLocalEnv: ComponentType = {
  names: ["secretstores.local.env"],
  usesBroker: false,
  open(spec, { appId }): SecretStoreComponent {
    const prefix = readMetadata(spec, appId).text("prefix") ?? "";
    const readVariable = (variable: string) => (isOwn(variable) ? "" : (process.env[variable] ?? ""));

    return {
      kind: "secretstore",
      name: spec.name,
      type: spec.type,
      version: spec.version,
      address: null,
      capabilities: [],
      get: (name) => ({ [name]: readVariable(prefix + name) }), // one that is not set is empty, no error
      all: () =>
        Object.fromEntries(
          Object.keys(process.env)
            .filter((variable) => variable.startsWith(prefix) && !isOwn(variable))
            .map((variable) => variable.slice(prefix.length))
            .map((name) => [name, { [name]: readVariable(prefix + name) }]),
        ),
      stop: async () => undefined,
    };
  },
};

// What the sidecar itself is given is nobody's secret to read.
function isOwn(variable: string): boolean {
  const name = variable.toUpperCase();
  return name.startsWith("DAPR_") || name === "APP_API_TOKEN";
}
