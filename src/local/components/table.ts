/** The components of the local runtime. A new one: one file, one row here, one test, one paragraph in docs/local-runtime.md. */
import { frameworkError } from "../../core/errors";
import { bindingsMqtt } from "./bindings-mqtt";
import type { ComponentSpec, ComponentType } from "./component";
import { pubsubMqtt } from "./pubsub-mqtt";
import { secretsLocalEnv } from "./secrets-local-env";
import { secretsLocalFile } from "./secrets-local-file";
import { stateInMemory } from "./state-in-memory";
import { stateRedis } from "./state-redis";

const componentTypes: readonly ComponentType[] = [
  bindingsMqtt,
  pubsubMqtt,
  stateInMemory,
  stateRedis,
  secretsLocalFile,
  secretsLocalEnv,
];

/** The row of a component's type, which Dapr compares in any case. Error: FF_COMPONENT_TYPE listing the known ones. */
export function componentTypeOf({ name, type, place }: ComponentSpec): ComponentType {
  const found = componentTypes.find(({ names }) => names.includes(type.toLowerCase()));
  if (found) return found;
  const known = componentTypes.flatMap(({ names }) => names);
  throw frameworkError("FF_COMPONENT_TYPE", { component: name, type, known }, { place });
}
