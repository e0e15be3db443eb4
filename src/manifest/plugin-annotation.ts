/** The annotation `plugins`, by which a Function names its plugins: YAML with `order`, or with `pre` and `post`. */
import { parse } from "yaml";

import { messageOf } from "../core/errors";
import { isRecord } from "../core/value";
import type { FieldReader } from "./fields";
import type { ManifestPlugins } from "./normal-form";

/** `order` is the order before the call, reversed after it; `pre` and `post` win. */
export function readPluginAnnotation(
  reader: FieldReader,
  { plugins: text }: Record<string, string>,
): ManifestPlugins {
  if (!text) return { pre: undefined, post: undefined };
  const wrong = (why: string): ManifestPlugins => {
    reader.problem(["metadata", "annotations", "plugins"], why);
    return { pre: undefined, post: undefined };
  };
  let value: unknown;
  try {
    value = parse(text);
  } catch (err) {
    return wrong(`is not YAML: ${messageOf(err).split("\n", 1)[0]}`);
  }
  if (!isRecord(value)) return wrong("must be a map with order, or with pre and post");
  const { order, pre = order, post = Array.isArray(order) ? [...order].reverse() : undefined } = value;
  if (![pre, post].every(isNames)) return wrong("must hold lists of names");
  return { pre: pre as string[] | undefined, post: post as string[] | undefined };
}

function isNames(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every((name) => typeof name === "string"));
}
