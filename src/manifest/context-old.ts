/**
 * Function contexts of the context specs before v0.3, put into today's fields. v0.1 has a single `input` and keeps kind,
 * operation and metadata in `params`; v0.2 has `component` and `type`. Both call the runtime OpenFuncAsync.
 */
import { messageOf } from "../core/errors";
import { readJson } from "../core/json";
import { describe, isRecord } from "../core/value";
import { isAbsent } from "./context-checks";

type Fields = Record<string, unknown>;

export interface RenewedContext {
  value: Fields;
  /** Undefined for a document of today. */
  spec: "v0.1" | "v0.2" | undefined;
}

export function renewContext(given: Fields, problems: string[]): RenewedContext {
  const runtime =
    typeof given.runtime === "string" && given.runtime.toLowerCase() === "openfuncasync"
      ? "Async"
      : given.runtime;
  const uses = [given.input, ...usesOf(given.inputs), ...usesOf(given.outputs)].filter(isRecord);
  const spec =
    !isAbsent(given.input) || uses.some((use) => use.params !== undefined)
      ? "v0.1"
      : uses.some((use) => use.component !== undefined || use.type !== undefined) || runtime !== given.runtime
        ? "v0.2"
        : undefined;
  if (spec === undefined) return { value: given, spec };
  const { input, ...rest } = given;
  const inputs = isAbsent(input) ? given.inputs : inputOf(input, problems);
  return {
    spec,
    value: {
      ...rest,
      ...(runtime !== undefined && { runtime }),
      ...(inputs !== undefined && { inputs: renewAll(inputs, "inputs", problems) }),
      ...(given.outputs !== undefined && { outputs: renewAll(given.outputs, "outputs", problems) }),
    },
  };
}

function usesOf(value: unknown): unknown[] {
  return isRecord(value) ? Object.values(value) : [];
}

// The name of the single input is that of its component.
function inputOf(input: unknown, problems: string[]): unknown {
  if (!isRecord(input)) {
    problems.push(`input must be an object, not ${describe(input)}`);
    return {};
  }
  const { name, ...rest } = input;
  return {
    [typeof name === "string" && name !== "" ? name : "input"]: {
      ...rest,
      ...(name ? { component: name } : {}),
    },
  };
}

function renewAll(uses: unknown, field: string, problems: string[]): unknown {
  if (!isRecord(uses)) return uses; // told by who reads it
  return Object.fromEntries(
    Object.entries(uses).map(([name, use]) => [
      name,
      isRecord(use) ? renew(name, use, `${field}.${name}`, problems) : use,
    ]),
  );
}

function renew(name: string, use: Fields, path: string, problems: string[]): Fields {
  const { component, type, params, ...rest } = use;
  const old = isRecord(params) ? params : {};
  const kind = use.componentType ?? type ?? old.type;
  if (kind === "invoke")
    problems.push(`${path} is of type "invoke", which is not served: use a binding or a topic`);
  return {
    ...rest,
    componentName: use.componentName ?? component ?? name,
    // Which one it is was not told then.
    componentType:
      kind === "bindings" || kind === "pubsub"
        ? `${kind}.unknown`
        : kind === "invoke"
          ? "bindings.invoke"
          : kind,
    ...(use.operation === undefined && old.operation !== undefined && { operation: old.operation }),
    ...(use.metadata === undefined &&
      old.metadata !== undefined && { metadata: metadataOf(old.metadata, path, problems) }),
  };
}

// As JSON inside of a text.
function metadataOf(value: unknown, path: string, problems: string[]): unknown {
  if (typeof value !== "string") return value;
  try {
    return readJson(value);
  } catch (err) {
    problems.push(`${path}.params.metadata is not JSON: ${messageOf(err)}`);
    return undefined;
  }
}
