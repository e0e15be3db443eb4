/** FUNC_CONTEXT: what the platform tells a function about its inputs and outputs. Checked whole, all problems at once. */
import { frameworkError, messageOf } from "../core/errors";
import type { FunctionContext, OpenFunctionComponent } from "../core/function-context";
import { readJson } from "../core/json";
import { listed } from "../core/suggest";
import { describe, isRecord } from "../core/value";

/** Errors: FF_CONTEXT_SYNTAX with the position, FF_CONTEXT_INVALID with every problem. */
export function parseFunctionContext(text: string, variable = "FUNC_CONTEXT"): FunctionContext {
  const value = parse(text, variable);
  const problems: string[] = [];
  if (!isRecord(value)) {
    throw frameworkError("FF_CONTEXT_INVALID", {
      variable,
      problems: [`it must be an object, not ${describe(value)}`],
    });
  }
  checkText(value, "name", problems, { optional: true });
  checkText(value, "version", problems, { optional: true });
  const runtime = checkRuntime(value.runtime, problems);
  checkPort(value.port, problems);
  const inputs = checkComponents(value.inputs, "inputs", problems);
  const outputs = checkComponents(value.outputs, "outputs", problems);
  checkRepeatedInputs(inputs, problems);
  if (problems.length > 0) throw frameworkError("FF_CONTEXT_INVALID", { variable, problems });
  return {
    ...value,
    name: typeof value.name === "string" ? value.name : "",
    runtime,
    inputs,
    outputs,
  } as FunctionContext;
}

function parse(text: string, variable: string): unknown {
  try {
    return readJson(text);
  } catch (err) {
    throw frameworkError("FF_CONTEXT_SYNTAX", { variable, why: messageOf(err) });
  }
}

function checkRuntime(value: unknown, problems: string[]): FunctionContext["runtime"] {
  if (value === undefined || value === "") return "Knative";
  const word = typeof value === "string" ? value.toLowerCase() : "";
  if (word === "async") return "Async";
  if (word === "knative") return "Knative";
  problems.push(`runtime must be "Knative" or "Async", not ${describe(value)}`);
  return "Knative";
}

function checkPort(value: unknown, problems: string[]): void {
  if (value === undefined || value === "") return;
  const port = typeof value === "string" || typeof value === "number" ? Number(value) : Number.NaN;
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    problems.push(`port must be a number from 1 to 65535, not ${describe(value)}`);
}

const kinds = ["bindings", "pubsub"]; // and a dot, and which one

function checkComponents(
  value: unknown,
  field: "inputs" | "outputs",
  problems: string[],
): Record<string, OpenFunctionComponent> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) {
    problems.push(`${field} must be an object of components, not ${describe(value)}`);
    return {};
  }
  for (const [name, component] of Object.entries(value)) {
    const path = `${field}.${name}`;
    if (!isRecord(component)) {
      problems.push(`${path} must be an object, not ${describe(component)}`);
      continue;
    }
    checkText(component, "componentName", problems, { path });
    if (!checkText(component, "componentType", problems, { path })) continue;
    const [kind = "", which] = String(component.componentType).split(".", 2);
    if (!kinds.includes(kind) || !which)
      problems.push(
        `${path}.componentType must begin with ${listed(kinds.map((one) => `${one}.`))}, not be "${component.componentType}"`,
      );
    if (kind === "pubsub")
      checkText(component, "uri", problems, { path, why: ": the topic of a pub/sub component" });
    checkText(component, "operation", problems, { path, optional: true });
    checkMetadata(component.metadata, path, problems);
  }
  return value as Record<string, OpenFunctionComponent>;
}

function checkMetadata(value: unknown, path: string, problems: string[]): void {
  if (value === undefined || value === null) return;
  if (!isRecord(value)) problems.push(`${path}.metadata must be an object of texts, not ${describe(value)}`);
  else {
    for (const [name, entry] of Object.entries(value)) {
      if (typeof entry !== "string")
        problems.push(`${path}.metadata.${name} must be a text, not ${describe(entry)}`);
    }
  }
}

// Two inputs on one topic, or on one binding, would share a path: only one of them could ever be called.
function checkRepeatedInputs(inputs: Record<string, OpenFunctionComponent>, problems: string[]): void {
  const seen = new Map<string, string>();
  for (const [name, component] of Object.entries(inputs)) {
    if (!isRecord(component)) continue;
    const isTopic = String(component.componentType).startsWith("pubsub");
    const source = isTopic
      ? `topic "${component.uri}" of "${component.componentName}"`
      : `binding "${component.componentName}"`;
    const first = seen.get(source);
    if (first === undefined) seen.set(source, name);
    else problems.push(`inputs.${name} reads the same ${source} as inputs.${first}`);
  }
}

interface TextRule {
  path?: string;
  optional?: boolean;
  why?: string;
}

function checkText(
  owner: Record<string, unknown>,
  field: string,
  problems: string[],
  { path, optional = false, why = "" }: TextRule,
): boolean {
  const value = owner[field];
  if (
    (typeof value === "string" && (optional || value !== "")) ||
    (optional && (value === undefined || value === null))
  )
    return true;
  const name = path ? `${path}.${field}` : field;
  problems.push(
    value === undefined || value === ""
      ? `${name} is missing${why}`
      : `${name} must be a text, not ${describe(value)}`,
  );
  return false;
}
