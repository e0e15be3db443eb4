/**
 * FUNC_CONTEXT_V1BETA2, which the platform writes beside FUNC_CONTEXT: the only one that tells hooks and tracing of a
 * v1beta2 Function. Its outputs have no topics.
 */
import type { FunctionContext, OpenFunctionComponent, PluginsTracing } from "../core/function-context";
import { describe, isRecord } from "../core/value";
import {
  checkMap,
  checkNames,
  checkPort,
  checkRepeatedInputs,
  checkStates,
  checkText,
  checkTexts,
  checkTracing,
  isAbsent,
} from "./context-checks";

type Fields = Record<string, unknown>;

export interface ContextV1beta2 {
  name: string;
  version: string | undefined;
  port: string | undefined;
  /** What feeds the function: `triggers.dapr`. */
  triggers: Record<string, OpenFunctionComponent>;
  /** What can be read and feeds nothing: `inputs`. */
  readable: Record<string, OpenFunctionComponent>;
  outputs: Record<string, OpenFunctionComponent>;
  states: FunctionContext["states"];
  preHooks: string[] | undefined;
  postHooks: string[] | undefined;
  /** Null: off. Undefined: nothing is said. */
  tracing: PluginsTracing | null | undefined;
}

/** Adds the problems of the document. */
export function readV1beta2(value: Fields, problems: string[]): ContextV1beta2 {
  checkText(value, "name", problems, { optional: true });
  checkText(value, "version", problems, { optional: true });
  const given = value.triggers ?? {};
  if (!isRecord(given)) problems.push(`triggers must be an object, not ${describe(given)}`);
  const triggers = isRecord(given) ? given : {};
  const http = isRecord(triggers.http) ? triggers.http : {};
  checkPort(http.port, "triggers.http.port", problems);
  checkStates(value.states, problems);
  checkTracing(value.tracing, "tracing", problems);
  return {
    name: typeof value.name === "string" ? value.name : "",
    version: typeof value.version === "string" ? value.version : undefined,
    port: isAbsent(http.port) ? undefined : String(http.port),
    triggers: readTriggers(triggers.dapr, problems),
    readable: readUses(value.inputs, "inputs", problems),
    outputs: readUses(value.outputs, "outputs", problems),
    states: (value.states ?? undefined) as FunctionContext["states"],
    preHooks: checkNames(value.preHooks, "preHooks", problems),
    postHooks: checkNames(value.postHooks, "postHooks", problems),
    tracing: value.tracing as PluginsTracing | null | undefined,
  };
}

function readTriggers(value: unknown, problems: string[]): ContextV1beta2["triggers"] {
  if (isAbsent(value)) return {};
  if (!Array.isArray(value)) {
    problems.push(`triggers.dapr must be a list, not ${describe(value)}`);
    return {};
  }
  const triggers = new Map<string, OpenFunctionComponent>();
  const paths: [string, OpenFunctionComponent][] = [];
  value.forEach((trigger: unknown, index) => {
    const path = `triggers.dapr[${index}]`;
    if (!isRecord(trigger)) {
      problems.push(`${path} must be an object, not ${describe(trigger)}`);
      return;
    }
    const isNamed = checkText(trigger, "name", problems, { path });
    for (const field of ["type", "topic", "inputName"])
      checkText(trigger, field, problems, { path, optional: true });
    if (trigger.type && !/^(bindings|pubsub)\../.test(String(trigger.type)))
      problems.push(`${path}.type must begin with "bindings.", "pubsub.", not be ${describe(trigger.type)}`);
    if (!isNamed) return;
    const { name, topic, inputName } = trigger;
    const component = {
      componentName: String(name),
      componentType: typeOf(trigger.type, topic),
      ...(topic ? { uri: String(topic) } : {}),
    };
    if (component.componentType.startsWith("pubsub.") && !topic)
      problems.push(`${path}.topic is missing: the topic of a pub/sub component`);
    const key = String(inputName || name);
    triggers.set(triggers.has(key) ? `${key}/${topic ?? name}` : key, component);
    paths.push([path, component]);
  });
  checkRepeatedInputs(paths, problems);
  return Object.fromEntries(triggers);
}

// The platform leaves the type empty when the user did: then a topic means pub/sub.
function typeOf(type: unknown, topic: unknown): string {
  if (typeof type === "string" && /^(bindings|pubsub|state)\../.test(type)) return type;
  return topic ? "pubsub.unknown" : "bindings.unknown";
}

function readUses(value: unknown, field: string, problems: string[]): Record<string, OpenFunctionComponent> {
  const uses = checkMap(value, field, "components", problems);
  return Object.fromEntries(
    uses.map(([name, use]): [string, OpenFunctionComponent] => {
      const path = `${field}.${name}`;
      checkText(use, "componentName", problems, { path });
      for (const one of ["componentType", "topic", "operation"])
        checkText(use, one, problems, { path, optional: true });
      checkTexts(use.metadata, `${path}.metadata`, problems);
      const { topic, componentType, ...rest } = use;
      return [
        name,
        {
          ...rest,
          componentType: typeOf(componentType, topic),
          ...(topic ? { uri: topic } : {}),
        } as OpenFunctionComponent,
      ];
    }),
  );
}

/** Where there is no other document: `triggers.dapr` makes it asynchronous. */
export function contextOfV1beta2(document: ContextV1beta2): FunctionContext {
  const { name, version, port, triggers, readable, outputs, states, preHooks, postHooks, tracing } = document;
  return {
    name,
    ...(version !== undefined && { version }),
    runtime: Object.keys(triggers).length > 0 ? "Async" : "Knative",
    ...(port !== undefined && { port }),
    inputs: { ...readableInputs(readable), ...triggers },
    outputs,
    ...(states && { states }),
    ...(preHooks && { prePlugins: preHooks }),
    ...(postHooks && { postPlugins: postHooks }),
    ...(tracing && { pluginsTracing: tracing }),
  };
}

/** Members of `ctx.inputs` that nothing is delivered from. */
export function readableInputs(readable: ContextV1beta2["readable"]): FunctionContext["inputs"] {
  return Object.fromEntries(
    Object.entries(readable).map(([name, component]) => [name, { ...component, subscribed: false }]),
  );
}
