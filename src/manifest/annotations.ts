/** The annotations of a Function that mean something to the function itself. */
import { parse } from "yaml";

import type { Path } from "../core/document";
import { messageOf } from "../core/errors";
import { readRetryRule, retryExample } from "../core/retry-rule";
import { isRecord } from "../core/value";
import type { FieldReader } from "./fields";
import type { ManifestPlugins } from "./normal-form";

const own: Path = ["metadata", "annotations"];
const serving: Path = ["spec", "serving", "annotations"];

export interface FunctionAnnotations {
  /** Those of `spec.serving` win. */
  annotations: Record<string, string>;
  plugins: ManifestPlugins;
  /** `pluginsTracing` of the function context. */
  tracing: Record<string, unknown> | undefined;
  /** What `--retry` is to be. */
  retry: string | undefined;
}

export function readAnnotations(reader: FieldReader): FunctionAnnotations {
  const annotations = { ...reader.texts(own), ...reader.texts(serving) };
  return {
    annotations,
    plugins: readPlugins(reader, annotations.plugins),
    tracing: readMap(reader, "plugins.tracing", annotations["plugins.tracing"]),
    retry: readRetry(reader, annotations[retryName]),
  };
}

function problem(reader: FieldReader, name: string, why: string): void {
  const isOfServing = reader.get([...serving, name]) !== undefined;
  reader.problem([...(isOfServing ? serving : own), name], why);
}

const retryName = "functions.openfunction.io/retry";

function readRetry(reader: FieldReader, text: string | undefined): string | undefined {
  if (!text) return undefined;
  const read = readRetryRule(text);
  if ("rule" in read) return text;
  problem(reader, retryName, `must be JSON such as ${retryExample}: ${read.problems.join("; ")}`);
  return undefined;
}

/** `order` is the order before the call, reversed after it; `pre` and `post` win. */
function readPlugins(reader: FieldReader, text: string | undefined): ManifestPlugins {
  const value = readMap(reader, "plugins", text, "with order, or with pre and post");
  if (value === undefined) return nothing;
  const { order, pre = order, post = Array.isArray(order) ? [...order].reverse() : undefined } = value;
  if (isNames(pre) && isNames(post)) return { pre, post };
  problem(reader, "plugins", "must hold lists of names");
  return nothing;
}

/** YAML of a map. */
function readMap(
  reader: FieldReader,
  name: string,
  text: string | undefined,
  form = "",
): Record<string, unknown> | undefined {
  if (!text) return undefined;
  try {
    const value: unknown = parse(text);
    if (isRecord(value)) return value;
    problem(reader, name, `must be a map ${form}`.trimEnd());
  } catch (err) {
    problem(reader, name, `is not YAML: ${messageOf(err).split("\n", 1)[0]}`);
  }
  return undefined;
}

const nothing: ManifestPlugins = { pre: undefined, post: undefined };

function isNames(value: unknown): value is string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every((name) => typeof name === "string"));
}
