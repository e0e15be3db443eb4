/** Reads component metadata by Dapr's rules: names match in any case, values are texts, templates are filled in. */
import { randomUUID } from "node:crypto";

import { frameworkError } from "../../core/errors";
import { isTrueWord } from "../../dapr/metadata";
import type { ComponentSpec } from "./component";

export interface Metadata {
  text(name: string): string | undefined;
  /** Error: FF_COMPONENT_METADATA when absent or empty. */
  required(name: string): string;
  flag(name: string, fallback: boolean): boolean;
  /** A whole number within bounds. Error: FF_COMPONENT_METADATA. */
  whole(name: string, fallback: number, min: number, max: number): number;
}

export function readMetadata({ name: component, metadata, place }: ComponentSpec, appId: string): Metadata {
  const values = new Map(
    Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), fillIn(value, appId)]),
  );
  const text = (name: string) => values.get(name.toLowerCase());
  const wrong = (field: string, why: string) =>
    frameworkError("FF_COMPONENT_METADATA", { component, field, why }, { place });

  return {
    text,
    required(name) {
      const value = text(name);
      if (value === undefined || value === "") throw wrong(name, "is missing");
      return value;
    },
    flag: (name, fallback) => {
      const value = text(name);
      return value === undefined ? fallback : isTrueWord(value);
    },
    whole(name, fallback, min, max) {
      const value = text(name);
      if (value === undefined || value === "") return fallback;
      const number = Number(value);
      if (!Number.isInteger(number) || number < min || number > max)
        throw wrong(name, `must be a whole number from ${min} to ${max}, not "${value}"`);
      return number;
    },
  };
}

// Dapr: {uuid} is new at every occurrence; there is no namespace here, so {namespace} is the app id alone.
function fillIn(value: string, appId: string): string {
  return value
    .replace(/\{uuid\}/g, () => randomUUID())
    .replace(/\{(appID|namespace)\}/g, appId)
    .replace(/\{podName\}/g, () => process.env.POD_NAME ?? "");
}
