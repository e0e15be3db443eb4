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
  /** What `--retry` is to be. */
  retry: string | undefined;
}

export function readAnnotations(reader: FieldReader): FunctionAnnotations {
  const annotations = { ...reader.texts(own), ...reader.texts(serving) };
  return {
    annotations,
    plugins: readPlugins(reader, annotations.plugins),
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

/** YAML: `order` is the order before the call, reversed after it; `pre` and `post` win. */
function readPlugins(reader: FieldReader, text: string | undefined): ManifestPlugins {
  if (!text) return nothing;
  let value: unknown;
  try {
    value = parse(text);
  } catch (err) {
    problem(reader, "plugins", `is not YAML: ${messageOf(err).split("\n", 1)[0]}`);
    return nothing;
  }
  if (!isRecord(value)) {
    problem(reader, "plugins", "must be a map with order, or with pre and post");
    return nothing;
  }
  const { order, pre = order, post = Array.isArray(order) ? [...order].reverse() : undefined } = value;
  if (isNames(pre) && isNames(post)) return { pre, post };
  problem(reader, "plugins", "must hold lists of names");
  return nothing;
}

const nothing: ManifestPlugins = { pre: undefined, post: undefined };

function isNames(value: unknown): value is string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every((name) => typeof name === "string"));
}
