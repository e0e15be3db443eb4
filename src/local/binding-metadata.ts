/** The metadata fields of bindings that the sidecar itself reads: `direction` and `route`. */
import { metadataValue } from "../dapr/metadata";
import type { ComponentSpec } from "./components/component";

export interface Direction {
  /** True: read without asking the app. False: never. Undefined: when the app says so. */
  reads: boolean | undefined;
  sends: boolean;
}

/** `input`, `output`, or both with a comma. */
export function directionOf({ metadata }: ComponentSpec): Direction {
  const text = metadataValue(metadata, "direction");
  if (!text) return { reads: undefined, sends: true };
  const words = text.split(",").map((word) => word.trim().toLowerCase());
  return { reads: words.includes("input"), sends: words.includes("output") };
}

/** The path on which the app gets its messages. */
export function bindingPath({ name, metadata }: ComponentSpec): string {
  const route = metadataValue(metadata, "route") || name;
  return route.startsWith("/") ? route : `/${route}`;
}
