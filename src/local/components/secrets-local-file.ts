/** secretstores.local.file: a JSON file, read once. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { frameworkError, messageOf } from "../../core/errors";
import { readJson } from "../../core/json";
import { isRecord } from "../../core/value";
import type { ComponentSpec, ComponentType, SecretStoreComponent } from "./component";
import { readMetadata } from "./metadata";

type Pairs = Record<string, string>;

export const secretsLocalFile: ComponentType = {
  names: ["secretstores.local.file"],
  usesBroker: false,
  open(spec, { appId }): SecretStoreComponent {
    const metadata = readMetadata(spec, appId);
    const separator = metadata.text("nestedSeparator") || ":";
    const file = readFile(spec, metadata.required("secretsFile"));
    const secrets = metadata.flag("multiValued", false)
      ? severalOf(file, separator)
      : singleOf(file, separator);

    return {
      kind: "secretstore",
      name: spec.name,
      type: spec.type,
      version: spec.version,
      address: null,
      capabilities: metadata.flag("multiValued", false) ? ["MULTIPLE_KEY_VALUES_PER_SECRET"] : [],
      get(name) {
        const pairs = secrets.get(name);
        if (pairs) return pairs;
        throw new Error(`secret ${name} not found`);
      },
      all: () => Object.fromEntries(secrets),
      stop: async () => undefined,
    };
  },
};

// Relative to the working folder of the runtime, as with daprd.
function readFile({ name: component, place }: ComponentSpec, path: string): Record<string, unknown> {
  const wrong = (why: string) =>
    frameworkError("FF_COMPONENT_METADATA", { component, field: "secretsFile", why }, { place });
  let text: string;
  try {
    text = readFileSync(resolve(path), "utf8");
  } catch (err) {
    throw wrong(`names a file that cannot be read: ${messageOf(err)}`);
  }
  let value: unknown;
  try {
    value = readJson(text);
  } catch (err) {
    throw wrong(`names "${path}", which is broken JSON: ${messageOf(err)}`);
  }
  if (!isRecord(value)) throw wrong(`names "${path}", which holds no JSON object`);
  return value;
}

/** Every value under its path: `{"db": {"user": "a"}}` is `db:user`, lists by index. */
function singleOf(file: Record<string, unknown>, separator: string): Map<string, Pairs> {
  return new Map(flatten(file, separator).map(([name, value]) => [name, { [name]: value }]));
}

/** Dapr: texts are themselves, objects are secrets of several pairs; anything else at the top is left out. */
function severalOf(file: Record<string, unknown>, separator: string): Map<string, Pairs> {
  const secrets = new Map<string, Pairs>();
  for (const [name, value] of Object.entries(file)) {
    if (typeof value === "string") secrets.set(name, { [name]: value });
    else if (isRecord(value)) secrets.set(name, Object.fromEntries(flatten(value, separator)));
  }
  return secrets;
}

function flatten(value: unknown, separator: string, path?: string): [path: string, text: string][] {
  if (typeof value !== "object" || value === null) return path === undefined ? [] : [[path, String(value)]];
  return Object.entries(value).flatMap(([key, entry]) =>
    flatten(entry, separator, path === undefined ? key : `${path}${separator}${key}`),
  );
}
