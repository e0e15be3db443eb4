/** What `ctx.state` is called with: the plain forms, and OpenFunction's, whose arguments are the values of one object. */
import { frameworkError } from "../core/errors";
import { describe, isRecord } from "../core/value";
import type { StateEntry, StateOperation, StateOptions } from "../functions/state-types";
import { asBytes, isDuration, isPathPart, textsOf, toBase64, toJson, UnserialisableError } from "./wire";

/** Error of a call whose arguments are wrong: FF_STATE_ARGUMENT. */
export function wrongArgument(call: string, why: string): Error {
  return frameworkError("FF_STATE_ARGUMENT", { call, why });
}

/** `[{key, value}]`, `{key, value}`, or an object whose first value is the list. */
export function entriesOf(call: string, data: unknown): StateEntry[] {
  const list = Array.isArray(data) ? data : isEntry(data) ? [data] : firstOf(data);
  if (!Array.isArray(list)) throw wrongArgument(call, "it wants entries {key, value}, one or a list of them");
  for (const entry of list) {
    if (!isRecord(entry)) throw wrongArgument(call, "an entry is no object {key, value}");
    keyOf(call, entry.key);
  }
  return list;
}

/** A key, or an object with exactly one value, the key. */
export function singleKeyOf(call: string, data: unknown): string {
  if (!isRecord(data)) return keyOf(call, data);
  const values = Object.values(data);
  if (values.length !== 1)
    throw wrongArgument(call, `it wants one key, not an object with ${values.length} members`);
  return keyOf(call, values[0]);
}

/** A list of keys, or an object whose values are keys, parallelism, metadata. */
export function keysOf(
  call: string,
  data: unknown,
): { keys: string[]; parallelism: unknown; metadata: unknown } {
  const [keys, parallelism, metadata] = Array.isArray(data) ? [data] : valuesOf(data);
  if (!Array.isArray(keys)) throw wrongArgument(call, "it wants a list of keys");
  for (const key of keys) keyOf(call, key);
  if (parallelism !== undefined && !(Number.isInteger(parallelism) && (parallelism as number) > 0))
    throw wrongArgument(call, "parallelism must be a whole number above 0");
  return { keys, parallelism, metadata };
}

/** A list of operations, or an object whose values are operations, metadata. */
export function operationsOf(
  call: string,
  data: unknown,
): { operations: StateOperation[]; metadata: unknown } {
  const [operations, metadata] = Array.isArray(data) ? [data] : valuesOf(data);
  if (!Array.isArray(operations)) throw wrongArgument(call, "it wants a list of operations");
  for (const one of operations) {
    if (!isRecord(one) || !isRecord(one.request))
      throw wrongArgument(call, "an operation is {operation, request: {key, value}}");
    if (one.operation !== "upsert" && one.operation !== "delete")
      throw wrongArgument(call, `an operation is "upsert" or "delete", not ${JSON.stringify(one.operation)}`);
    keyOf(call, one.request.key);
  }
  return { operations, metadata };
}

/** The query itself, or an object whose first value it is. */
export function queryOf(call: string, data: unknown): Record<string, unknown> {
  const isQuery = isRecord(data) && ["filter", "sort", "page"].some((name) => Object.hasOwn(data, name));
  const query = isQuery ? data : (firstOf(data) ?? data);
  if (!isRecord(query)) throw wrongArgument(call, "it wants a query {filter, sort, page}");
  return query;
}

/** The second argument: the name of a store, or options. */
export function optionsOf(call: string, stated: string | StateOptions | null | undefined): StateOptions {
  if (stated === undefined || stated === null) return {};
  if (typeof stated === "string") return { store: stated };
  if (!isRecord(stated)) throw wrongArgument(call, "its second argument is the name of a store, or options");
  const unknown = Object.keys(stated).find((name) => !optionNames.includes(name));
  if (unknown !== undefined)
    throw wrongArgument(call, `its option "${unknown}" is unknown: there are ${optionNames.join(", ")}`);
  const { store, etag, timeoutMs } = stated;
  if (store !== undefined && typeof store !== "string") throw wrongArgument(call, "store must be a name");
  if (etag !== undefined && call !== "delete")
    throw wrongArgument(call, "the option etag is for delete: of a write it stands in the entry");
  if (timeoutMs !== undefined && !isDuration(timeoutMs))
    throw wrongArgument(call, "timeoutMs must be milliseconds, more than 0");
  return stated;
}

const optionNames = ["store", "etag", "concurrency", "consistency", "metadata", "timeoutMs"];

/** An entry as it goes over the wire; the members are Dapr's. Value as JSON, bytes as base64. */
export function entryText(call: string, entry: StateEntry, shared: StateOptions): string {
  const { key, value, etag } = entry;
  const options = behaviourOf(call, { ...shared, ...readBehaviour(entry.options) });
  const metadata = {
    ...metadataOf(call, entry.metadata),
    ...(entry.ttlInSeconds !== undefined && { ttlInSeconds: secondsText(call, entry.ttlInSeconds) }),
  };
  const members = [`"key":${JSON.stringify(key)}`];
  if (value !== undefined) members.push(`"value":${valueText(call, key, value)}`);
  if (etag !== undefined && etag !== null) members.push(`"etag":${JSON.stringify(String(etag))}`);
  if (Object.keys(options).length > 0) members.push(`"options":${JSON.stringify(options)}`);
  if (Object.keys(metadata).length > 0) members.push(`"metadata":${JSON.stringify(metadata)}`);
  return `{${members.join(",")}}`;
}

export function metadataOf(call: string, metadata: unknown): Record<string, string> {
  if (metadata === undefined || metadata === null) return {};
  if (!isRecord(metadata)) throw wrongArgument(call, "metadata must be an object of texts");
  return textsOf(metadata, (name, why) => wrongArgument(call, `metadata.${name} ${why}`));
}

const words = {
  concurrency: ["first-write", "last-write"],
  consistency: ["eventual", "strong"],
} as const;

/** Consistency and concurrency in Dapr's words; the numbers of the SDK's enums count too. */
export function behaviourOf(
  call: string,
  { concurrency, consistency }: StateOptions,
): { concurrency?: string; consistency?: string } {
  const wordOf = (field: keyof typeof words, value: unknown) => {
    if (value === undefined || value === null || value === 0) return undefined;
    const word = typeof value === "number" ? words[field][value - 1] : value;
    if (!(words[field] as readonly unknown[]).includes(word))
      throw wrongArgument(
        call,
        `${field} is ${words[field].map((one) => `"${one}"`).join(" or ")}, not ${JSON.stringify(value)}`,
      );
    return word as string;
  };
  const first = wordOf("concurrency", concurrency);
  const second = wordOf("consistency", consistency);
  return { ...(first && { concurrency: first }), ...(second && { consistency: second }) };
}

function readBehaviour(options: unknown): Pick<StateOptions, "concurrency" | "consistency"> {
  return isRecord(options) ? options : {};
}

// Dapr: whole seconds; -1 is for ever.
function secondsText(call: string, seconds: unknown): string {
  const isNumber = typeof seconds === "number" || (typeof seconds === "string" && seconds !== "");
  if (isNumber && Number.isInteger(Number(seconds))) return String(seconds);
  throw wrongArgument(call, `ttlInSeconds must be a whole number, not ${describe(seconds)}`);
}

function valueText(call: string, key: string, value: unknown): string {
  try {
    const bytes = asBytes(value);
    return bytes ? `"${toBase64(bytes)}"` : toJson(value);
  } catch (err) {
    if (!(err instanceof UnserialisableError)) throw err;
    throw wrongArgument(call, `the value of "${key}" cannot be written as JSON: ${err.message}`);
  }
}

// Dapr puts the app's name and "||" before a key.
function keyOf(call: string, key: unknown): string {
  if (typeof key !== "string" || key === "")
    throw wrongArgument(call, "a key must be a text that is not empty");
  if (key.includes("||")) throw wrongArgument(call, `a key must not hold "||": "${key}"`);
  if (!isPathPart(key))
    throw wrongArgument(call, `a key cannot be ${JSON.stringify(key)}: no URL can hold it`);
  return key;
}

function isEntry(data: unknown): boolean {
  return isRecord(data) && typeof data.key === "string";
}

function valuesOf(data: unknown): unknown[] {
  return isRecord(data) ? Object.values(data) : [];
}

function firstOf(data: unknown): unknown {
  return valuesOf(data)[0];
}
