/** FUNC_CONTEXT: what the platform tells a function about its inputs and outputs. Checked whole, all problems at once. */
import { frameworkError, messageOf } from "../core/errors";
import type { FunctionContext, OpenFunctionComponent } from "../core/function-context";
import { readJson } from "../core/json";
import { log } from "../core/log";
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
  checkType,
  isAbsent,
} from "./context-checks";
import { renewContext } from "./context-old";
import { contextOfV1beta2, readV1beta2 } from "./context-v1beta2";

type Fields = Record<string, unknown>;

/**
 * A document of the v1beta2 shape (it has `triggers`) is read as such. Errors: FF_CONTEXT_SYNTAX with the position,
 * FF_CONTEXT_INVALID with every problem.
 */
export function parseFunctionContext(text: string, variable = "FUNC_CONTEXT"): FunctionContext {
  const value = parseDocument(text, variable);
  const problems: string[] = [];
  const context =
    value.triggers === undefined
      ? readContext(value, problems)
      : contextOfV1beta2(readV1beta2(value, problems));
  if (problems.length > 0) throw frameworkError("FF_CONTEXT_INVALID", { variable, problems });
  return context;
}

/** The JSON object of a variable. Errors: FF_CONTEXT_SYNTAX, FF_CONTEXT_INVALID. */
export function parseDocument(text: string, variable: string): Fields {
  let value: unknown;
  try {
    value = readJson(text);
  } catch (err) {
    throw frameworkError("FF_CONTEXT_SYNTAX", { variable, why: messageOf(err) });
  }
  if (isRecord(value)) return value;
  const problems = [`it must be an object, not ${describe(value)}`];
  throw frameworkError("FF_CONTEXT_INVALID", { variable, problems });
}

function readContext(given: Fields, problems: string[]): FunctionContext {
  const { value, spec } = renewContext(given, problems);
  if (spec)
    log.warn(
      `The function context is of the old form ${spec}. It still works; today's has inputs with componentName and componentType, and runtime Async.`,
    );
  for (const field of ["name", "version", "requestID", "httpPattern"])
    checkText(value, field, problems, { optional: true });
  const runtime = readRuntime(value.runtime, problems);
  checkPort(value.port, "port", problems);
  const inputs = readComponents(value.inputs, "inputs", problems);
  const outputs = readComponents(value.outputs, "outputs", problems);
  checkRepeatedInputs(
    Object.entries(inputs).map(([name, component]) => [`inputs.${name}`, component] as const),
    problems,
  );
  checkStates(value.states, problems);
  checkNames(value.prePlugins, "prePlugins", problems);
  checkNames(value.postPlugins, "postPlugins", problems);
  checkTracing(value.pluginsTracing, "pluginsTracing", problems);
  return {
    ...value,
    name: typeof value.name === "string" ? value.name : "",
    runtime,
    inputs,
    outputs,
  } as FunctionContext;
}

function readRuntime(value: unknown, problems: string[]): FunctionContext["runtime"] {
  if (isAbsent(value) || value === "") return "Knative";
  const word = typeof value === "string" ? value.toLowerCase() : "";
  if (word === "async") return "Async";
  if (word === "knative") return "Knative";
  problems.push(`runtime must be "Knative" or "Async", not ${describe(value)}`);
  return "Knative";
}

function readComponents(
  value: unknown,
  field: "inputs" | "outputs",
  problems: string[],
): Record<string, OpenFunctionComponent> {
  const components = checkMap(value, field, "components", problems);
  for (const [name, component] of components) {
    const path = `${field}.${name}`;
    checkText(component, "componentName", problems, { path });
    const isKnown = checkType(component, ["bindings", "pubsub"], path, problems);
    const isTopic = String(component.componentType).startsWith("pubsub");
    if (isTopic) checkText(component, "uri", problems, { path, why: ": the topic of a pub/sub component" });
    checkText(component, "operation", problems, { path, optional: true });
    checkTexts(component.metadata, `${path}.metadata`, problems);
    if (field === "inputs" && isKnown) checkInput(component, path, isTopic, problems);
  }
  return Object.fromEntries(components) as unknown as Record<string, OpenFunctionComponent>;
}

function checkInput(input: Fields, path: string, isTopic: boolean, problems: string[]): void {
  const { deadLetterTopic, bulkSubscribe, uri } = input;
  const metadata = isRecord(input.metadata) ? input.metadata : {};
  if (!isTopic) {
    for (const field of ["deadLetterTopic", "bulkSubscribe", "match"])
      if (!isAbsent(input[field])) problems.push(`${path}.${field} is for topics, and this is a binding`);
    checkDirection(metadata, path, problems);
    return;
  }
  if (
    checkText(input, "deadLetterTopic", problems, { path, optional: true }) &&
    deadLetterTopic &&
    deadLetterTopic === uri
  )
    problems.push(`${path}.deadLetterTopic must be another topic than uri`);
  checkText(input, "match", problems, { path, optional: true });
  const raw = metadata.rawPayload;
  if (typeof raw === "string" && !/^(true|t|1|false|f|0)$/i.test(raw))
    problems.push(`${path}.metadata.rawPayload must be "true" or "false", not ${describe(raw)}`);
  if (!isAbsent(bulkSubscribe)) checkBulk(bulkSubscribe, `${path}.bulkSubscribe`, problems);
}

// Dapr: one that is for output only reads nothing, so nothing would ever be delivered.
function checkDirection(metadata: Fields, path: string, problems: string[]): void {
  const found = Object.entries(metadata).find(([name]) => name.toLowerCase() === "direction");
  if (found === undefined || typeof found[1] !== "string") return;
  const words = found[1].split(",").map((word) => word.trim().toLowerCase());
  if (!words.includes("input"))
    problems.push(`${path}.metadata.${found[0]} must name "input", not only ${describe(found[1])}`);
}

function checkBulk(bulk: unknown, path: string, problems: string[]): void {
  if (!isRecord(bulk)) {
    problems.push(`${path} must be an object, not ${describe(bulk)}`);
    return;
  }
  if (typeof bulk.enabled !== "boolean")
    problems.push(`${path}.enabled must be true or false, not ${describe(bulk.enabled)}`);
  checkCount(bulk.maxMessagesCount, `${path}.maxMessagesCount`, problems);
  checkCount(bulk.maxAwaitDurationMs, `${path}.maxAwaitDurationMs`, problems);
}

const largest = 2_147_483_647; // Dapr reads 32 bits

function checkCount(value: unknown, path: string, problems: string[]): void {
  if (isAbsent(value)) return;
  if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > largest)
    problems.push(`${path} must be a whole number from 1 to ${largest}, not ${describe(value)}`);
}
