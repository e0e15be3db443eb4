/** Checks of the fields that both function contexts have. Each adds its problems, with the JSON path. */
import type { OpenFunctionComponent } from "../core/function-context";
import { listed } from "../core/suggest";
import { describe, isRecord } from "../core/value";

type Fields = Record<string, unknown>;

interface TextRule {
  path?: string;
  optional?: boolean;
  why?: string;
}

/** True for a text that may stand there. */
export function checkText(
  owner: Fields,
  field: string,
  problems: string[],
  { path, optional = false, why = "" }: TextRule = {},
): boolean {
  const value = owner[field];
  if (typeof value === "string" && (optional || value !== "")) return true;
  if (optional && isAbsent(value)) return true;
  const name = path ? `${path}.${field}` : field;
  problems.push(
    value === undefined || value === ""
      ? `${name} is missing${why}`
      : `${name} must be a text, not ${describe(value)}`,
  );
  return false;
}

/** The entries of an object of objects; anything else in it is a problem. */
export function checkMap(value: unknown, path: string, what: string, problems: string[]): [string, Fields][] {
  if (isAbsent(value)) return [];
  if (!isRecord(value)) {
    problems.push(`${path} must be an object of ${what}, not ${describe(value)}`);
    return [];
  }
  return Object.entries(value).flatMap(([name, entry]): [string, Fields][] => {
    if (isRecord(entry)) return [[name, entry]];
    problems.push(`${path}.${name} must be an object, not ${describe(entry)}`);
    return [];
  });
}

/** A map of texts. */
export function checkTexts(value: unknown, path: string, problems: string[]): void {
  if (isAbsent(value)) return;
  if (!isRecord(value)) problems.push(`${path} must be an object of texts, not ${describe(value)}`);
  else {
    for (const [name, entry] of Object.entries(value))
      if (typeof entry !== "string") problems.push(`${path}.${name} must be a text, not ${describe(entry)}`);
  }
}

/** True when the type is that of one of the kinds: `bindings.` and which one. */
export function checkType(
  component: Fields,
  kinds: readonly string[],
  path: string,
  problems: string[],
): boolean {
  if (!checkText(component, "componentType", problems, { path })) return false;
  const [kind = "", which] = String(component.componentType).split(".", 2);
  if (kinds.includes(kind) && which) return true;
  problems.push(
    `${path}.componentType must begin with ${listed(kinds.map((one) => `${one}.`))}, not be "${component.componentType}"`,
  );
  return false;
}

/** A list of names; undefined when there is none. */
export function checkNames(value: unknown, path: string, problems: string[]): string[] | undefined {
  if (isAbsent(value)) return undefined;
  if (!Array.isArray(value)) {
    problems.push(`${path} must be a list of names, not ${describe(value)}`);
    return undefined;
  }
  value.forEach((name, index) => {
    if (typeof name !== "string" || name === "")
      problems.push(`${path}[${index}] must be a name, not ${describe(name)}`);
  });
  return value.map(String);
}

export function checkPort(value: unknown, path: string, problems: string[]): void {
  if (isAbsent(value) || value === "") return;
  const port = typeof value === "string" || typeof value === "number" ? Number(value) : Number.NaN;
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    problems.push(`${path} must be a number from 1 to 65535, not ${describe(value)}`);
}

export function checkStates(value: unknown, problems: string[]): void {
  for (const [name, state] of checkMap(value, "states", "components", problems)) {
    const path = `states.${name}`;
    checkText(state, "componentName", problems, { path });
    checkType(state, ["state"], path, problems);
  }
}

/** `pluginsTracing`, or `tracing` of the other document. */
export function checkTracing(value: unknown, path: string, problems: string[]): void {
  if (isAbsent(value)) return;
  if (!isRecord(value)) {
    problems.push(`${path} must be an object, not ${describe(value)}`);
    return;
  }
  const { enabled, provider, tags, baggage } = value;
  if (!isAbsent(enabled) && typeof enabled !== "boolean")
    problems.push(`${path}.enabled must be true or false, not ${describe(enabled)}`);
  if (!isAbsent(provider) && !isRecord(provider))
    problems.push(`${path}.provider must be an object, not ${describe(provider)}`);
  else if (isRecord(provider)) {
    checkText(provider, "name", problems, { path: `${path}.provider`, optional: enabled !== true });
    checkText(provider, "oapServer", problems, { path: `${path}.provider`, optional: true });
    if (!isAbsent(provider.exporter) && !isRecord(provider.exporter))
      problems.push(`${path}.provider.exporter must be an object, not ${describe(provider.exporter)}`);
  }
  checkTexts(tags, `${path}.tags`, problems);
  checkTexts(baggage, `${path}.baggage`, problems);
}

/**
 * Two inputs on one binding, or on all of one topic, would share a path: only one of them could ever be called. Inputs
 * with `match` share a topic, and what is said of its subscription.
 */
export function checkRepeatedInputs(
  inputs: Iterable<readonly [path: string, component: Partial<OpenFunctionComponent>]>,
  problems: string[],
): void {
  const seen = new Map<string, { path: string; component: Partial<OpenFunctionComponent> }>();
  for (const [path, component] of inputs) {
    const { componentName, componentType, uri, match } = component;
    const isTopic = String(componentType).startsWith("pubsub");
    const source = isTopic ? `topic "${uri}" of "${componentName}"` : `binding "${componentName}"`;
    const key = match ? `${source} where ${match}` : source;
    const first = seen.get(key);
    if (first) problems.push(`${path} reads the same ${source} as ${first.path}`);
    const sharing = [...seen.values()].find(
      (other) => isTopic && other.component.componentName === componentName && other.component.uri === uri,
    );
    if (sharing) checkShared(path, component, sharing, problems);
    seen.set(key, { path, component });
  }
}

// There is one subscription for all of them.
function checkShared(
  path: string,
  component: Partial<OpenFunctionComponent>,
  other: { path: string; component: Partial<OpenFunctionComponent> },
  problems: string[],
): void {
  for (const field of ["metadata", "deadLetterTopic", "bulkSubscribe"] as const) {
    const [one, two] = [component[field], other.component[field]];
    if (!isAbsent(one) && !isAbsent(two) && JSON.stringify(one) !== JSON.stringify(two))
      problems.push(`${path}.${field} differs from that of ${other.path}, which reads the same topic`);
  }
}

export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}
