/** The function context of a test: FUNC_CONTEXT as the platform has it, or the few names that matter. */
import type { FunctionContext, OpenFunctionComponent } from "../functions/types";
import { mergeContexts, readContexts } from "../manifest/contexts";
import { builtinPlugins } from "../signatures/plugins";
import type { SendHandler } from "./recorder";

/** An input or output; all of it has a default. */
export interface TestComponent extends Partial<OpenFunctionComponent> {
  /** The topic makes it a pub/sub component; without one it is a binding. */
  uri?: string;
  /** Of an output: what comes of a send. */
  reply?: SendHandler;
}

export interface TestContextOptions {
  /** Name of the function. */
  name?: string;
  /** FUNC_CONTEXT: its text, or the object. The other options add to it. */
  context?: string | object;
  /** Names, or components by name. */
  inputs?: readonly string[] | Readonly<Record<string, TestComponent>>;
  /** Names, or by name a component, or what comes of a send: what it returns is the reply, what it throws the failure. */
  outputs?: readonly string[] | Readonly<Record<string, TestComponent | SendHandler>>;
  /** Names of state stores. Default: those of the context, else one called `state`. */
  states?: readonly string[];
}

export interface TestContext {
  context: FunctionContext;
  /** What comes of the sends to an output. */
  handlers: Map<string, SendHandler>;
}

/** Errors: FF_CONTEXT_SYNTAX, FF_CONTEXT_INVALID. */
export function readTestContext(
  { name, context: stated, inputs, outputs, states }: TestContextOptions,
  { runtime, name: fallback }: { runtime: FunctionContext["runtime"]; name: string },
): TestContext {
  const base = stated === undefined ? undefined : parse(stated);
  const handlers = new Map<string, SendHandler>();
  const own: FunctionContext["outputs"] = {};
  for (const [output, given] of entriesOf<TestComponent | SendHandler>(outputs)) {
    const { reply, ...component } = typeof given === "function" ? { reply: given } : given;
    if (reply) handlers.set(output, reply);
    own[output] = componentOf(output, { ...base?.outputs[output], ...component });
  }
  const named = states ?? (base?.states ? [] : ["state"]);
  const context: FunctionContext = {
    ...base,
    name: name ?? base?.name ?? fallback,
    runtime: base?.runtime ?? runtime,
    inputs: {
      ...base?.inputs,
      ...Object.fromEntries(
        entriesOf<TestComponent>(inputs).map(([input, { reply: _, ...component }]) => [
          input,
          componentOf(input, { ...base?.inputs[input], ...component }),
        ]),
      ),
    },
    outputs: { ...base?.outputs, ...own },
    states: {
      ...base?.states,
      ...Object.fromEntries(
        named.map((store) => [store, { componentName: store, componentType: "state.in-memory" }]),
      ),
    },
  };
  return { context, handlers };
}

function parse(context: string | object): FunctionContext | undefined {
  const text = typeof context === "string" ? context : JSON.stringify(context);
  return mergeContexts(readContexts({ context: text, v1beta2: undefined }), builtinPlugins);
}

function entriesOf<T>(given: readonly string[] | Readonly<Record<string, T>> = []): [string, T][] {
  return isNames(given) ? given.map((name) => [name, {} as T]) : Object.entries(given);
}

function isNames(given: readonly string[] | object): given is readonly string[] {
  return Array.isArray(given);
}

function componentOf(name: string, component: TestComponent): OpenFunctionComponent {
  const isTopic = component.uri !== undefined && component.uri !== "";
  return {
    componentName: name,
    componentType: isTopic ? "pubsub.in-memory" : "bindings.in-memory",
    ...(!isTopic && { operation: "create" }),
    ...component,
  };
}
