/** Dapr components: a `dapr.io/v1alpha1` document, or an entry under `serving.bindings` and `serving.pubsub`. */
import type { Path } from "../core/document";
import type { FieldReader } from "./fields";
import type { ComponentDeclaration } from "./normal-form";

/** Values of Secret documents, by secret name and key. */
export type Secrets = ReadonlyMap<string, Record<string, string>>;

export interface ComponentSources {
  env: NodeJS.ProcessEnv;
  secrets: Secrets;
}

/** The component whose specification is at `path`. */
export function readComponent(
  reader: FieldReader,
  name: string,
  path: Path,
  sources: ComponentSources,
): ComponentDeclaration {
  const metadata: Record<string, string> = {};
  for (const index of reader.list([...path, "metadata"]).keys()) {
    const entry = [...path, "metadata", index];
    const field = reader.required([...entry, "name"]);
    const value = readValue(reader, entry, sources);
    const isRepeated = Object.keys(metadata).some((known) => known.toLowerCase() === field.toLowerCase());
    if (isRepeated) reader.problem([...entry, "name"], `"${field}" is given twice`);
    else if (field) metadata[field] = value;
  }
  return {
    name,
    type: reader.required([...path, "type"]),
    version: reader.text([...path, "version"]) || "v1",
    metadata,
    scopes: [],
    place: reader.place(path),
  };
}

function readValue(reader: FieldReader, entry: Path, { env, secrets }: ComponentSources): string {
  const variable = reader.text([...entry, "envRef"]);
  if (variable !== undefined) return Object.hasOwn(env, variable) ? (env[variable] ?? "") : "";
  const secret = reader.text([...entry, "secretKeyRef", "name"]);
  if (secret === undefined) return reader.text([...entry, "value"]) ?? "";
  const key = reader.text([...entry, "secretKeyRef", "key"]) ?? secret;
  const value = secrets.get(secret)?.[key];
  if (value === undefined)
    reader.problem(
      [...entry, "secretKeyRef"],
      `names the key "${key}" of the Secret "${secret}", which no document declares`,
    );
  return value ?? "";
}
