/** What stands before every key of a state store, so that apps do not meet in one. */
import type { ComponentSpec } from "./component";
import type { Metadata } from "./metadata";

/** Dapr: `keyPrefix` is appid (default), name, namespace, none, or any other text as it is. */
export function keyPrefixOf({ name }: ComponentSpec, metadata: Metadata, appId: string): string {
  const word = metadata.text("keyPrefix") || "appid";
  if (word.toLowerCase() === "none") return "";
  const prefix: Record<string, string> = { appid: appId, name, namespace: appId }; // there is no namespace here
  return `${prefix[word.toLowerCase()] ?? word}||`;
}
