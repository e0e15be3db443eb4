/** Reads manifest files: which documents there are, and what is wrong with them, all at once. */
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";

import { readDocuments, type SourceDocument } from "../core/document";
import { type FrameworkError, formatPlace, frameworkError, messageOf } from "../core/errors";
import { type ComponentSources, readComponent } from "./component";
import { FieldReader } from "./fields";
import { readFunctionV1beta1 } from "./function-v1beta1";
import { readFunctionV1beta2 } from "./function-v1beta2";
import type { ComponentDeclaration, FunctionManifest } from "./normal-form";

export interface Manifests {
  functions: FunctionManifest[];
  components: ComponentDeclaration[];
  /** What was read. */
  files: string[];
  /** Documents that are read but have no effect yet, as a line each. */
  ignored: string[];
  problems: FrameworkError[];
}

export interface ReadOptions {
  /** Files and folders; folders are not searched deeper. Absent: function.yaml, function.yml, or every CR of the working folder. */
  paths?: readonly string[] | undefined;
  cwd: string;
  env: NodeJS.ProcessEnv;
}

const functionVersions: Record<string, typeof readFunctionV1beta1> = {
  "core.openfunction.io/v1beta1": readFunctionV1beta1,
  "core.openfunction.io/v1beta2": readFunctionV1beta2,
};
const knownKinds = ["Function", "Component", "Subscription", "Resiliency", "Configuration", "Secret"];
const notApplied = ["Subscription", "Resiliency", "Configuration"];

/** Never throws for what is in the files: the problems say it. */
export function readManifests({ paths, cwd, env }: ReadOptions): Manifests {
  const problems: FrameworkError[] = [];
  const files = paths ? filesOf(paths, cwd, problems) : discover(cwd);
  // In a folder that nobody named, other people's YAML is no problem.
  const isStrict = paths !== undefined || files.every((file) => ownNames.includes(basename(file)));
  const documents = files
    .flatMap((file) => readFile(file, cwd, isStrict, problems))
    .filter((document) => isKnown(document, isStrict, problems));

  const sources: ComponentSources = { env, secrets: readSecrets(documents, problems) };
  const functions = documents
    .filter(isKind("Function"))
    .flatMap((document) => readFunction(document, problems, sources));
  const components = documents
    .filter(isKind("Component"))
    .map((document) => readComponentDocument(document, problems, sources));
  reportRepeated("Function", functions, problems);
  reportRepeated("Component", components, problems);
  if (functions.length === 0 && problems.length === 0) {
    problems.push(frameworkError("FF_MANIFEST_NO_FUNCTION", { paths: paths ? [...paths] : [cwd] }));
  }
  const ignored = documents
    .filter((document) => notApplied.includes(kindOf(document)))
    .map(
      (document) =>
        `${formatPlace(document.placeOf(["kind"]))}: the ${kindOf(document)} has no effect in this version.`,
    );
  return { files, functions, components, ignored, problems };
}

function filesOf(paths: readonly string[], cwd: string, problems: FrameworkError[]): string[] {
  return [...new Set(paths)].flatMap((path) => {
    const location = resolve(cwd, path);
    const found = lookAt(location);
    const files = found?.isDirectory() ? yamlFilesOf(location) : found?.isFile() ? [location] : undefined;
    if (files) return files;
    problems.push(frameworkError("FF_MANIFEST_NOT_FOUND", { path }));
    return [];
  });
}

const ownNames = ["function.yaml", "function.yml"];

function discover(cwd: string): string[] {
  const named = ownNames.map((name) => join(cwd, name));
  const first = named.find((file) => lookAt(file)?.isFile());
  return first ? [first] : (yamlFilesOf(cwd) ?? []);
}

/** Undefined for a folder that is gone, or that nobody may look into. */
function yamlFilesOf(folder: string): string[] | undefined {
  try {
    return readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(folder, name))
      .filter((file) => lookAt(file)?.isFile());
  } catch {
    return undefined;
  }
}

// Undefined for what is not there, and for what cannot be looked at: a loop of links, a name that is too long.
function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

const largestFile = 2 * 1024 ** 2;

function readFile(
  file: string,
  cwd: string,
  isStrict: boolean,
  problems: FrameworkError[],
): SourceDocument[] {
  const name = relative(cwd, file);
  const shown = name.startsWith("..") ? file : name;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (err) {
    problems.push(frameworkError("FF_MANIFEST_SYNTAX", { why: messageOf(err) }, { place: { file: shown } }));
    return [];
  }
  if (text.length > largestFile) {
    const why = `it is larger than ${largestFile} characters`;
    problems.push(frameworkError("FF_MANIFEST_SYNTAX", { why }, { place: { file: shown } }));
    return [];
  }
  const { documents, problems: found } = readDocuments(text, shown);
  // In a folder that nobody named, broken YAML counts when it seems to be ours.
  if (isStrict || text.includes("core.openfunction.io/")) problems.push(...found);
  return documents;
}

function isKnown(document: SourceDocument, isStrict: boolean, problems: FrameworkError[]): boolean {
  const kind = kindOf(document);
  if (knownKinds.includes(kind)) return true;
  if (isStrict) {
    problems.push(
      frameworkError("FF_MANIFEST_KIND", { kind, known: knownKinds }, { place: document.placeOf(["kind"]) }),
    );
  }
  return false;
}

function kindOf({ value }: SourceDocument): string {
  const kind = typeof value === "object" && value !== null ? (value as { kind?: unknown }).kind : undefined;
  return typeof kind === "string" ? kind : "";
}

function isKind(kind: string): (document: SourceDocument) => boolean {
  return (document) => kindOf(document) === kind;
}

function readFunction(
  document: SourceDocument,
  problems: FrameworkError[],
  sources: ComponentSources,
): FunctionManifest[] {
  const { apiVersion } = document.value as { apiVersion?: unknown };
  const read = Object.hasOwn(functionVersions, String(apiVersion))
    ? functionVersions[String(apiVersion)]
    : undefined;
  if (read) return [read(document, problems, sources)];
  const details = {
    kind: "Function",
    version: String(apiVersion ?? ""),
    known: Object.keys(functionVersions),
  };
  problems.push(frameworkError("FF_MANIFEST_VERSION", details, { place: document.placeOf(["apiVersion"]) }));
  return [];
}

function readComponentDocument(
  document: SourceDocument,
  problems: FrameworkError[],
  sources: ComponentSources,
): ComponentDeclaration {
  const reader = new FieldReader(document, problems);
  const name = reader.required(["metadata", "name"]);
  const scopes = reader.list(["scopes"]).map(String);
  return { ...readComponent(reader, name, ["spec"], sources), scopes, place: reader.place(["kind"]) };
}

// Kubernetes: `data` is base64, `stringData` is text and wins.
function readSecrets(
  documents: SourceDocument[],
  problems: FrameworkError[],
): Map<string, Record<string, string>> {
  const secrets = documents.filter(isKind("Secret")).map((document): [string, Record<string, string>] => {
    const reader = new FieldReader(document, problems);
    const encoded = Object.entries(reader.texts(["data"]));
    const decoded = encoded.map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]);
    return [
      reader.required(["metadata", "name"]),
      { ...Object.fromEntries(decoded), ...reader.texts(["stringData"]) },
    ];
  });
  return new Map(secrets);
}

function reportRepeated(
  kind: string,
  items: readonly (FunctionManifest | ComponentDeclaration)[],
  problems: FrameworkError[],
): void {
  const first = new Map<string, FunctionManifest | ComponentDeclaration>();
  for (const item of items) {
    const known = first.get(item.name);
    if (known === undefined) first.set(item.name, item);
    else {
      const details = { kind, name: item.name, first: formatPlace(known.place) };
      problems.push(frameworkError("FF_MANIFEST_DUPLICATE", details, { place: item.place }));
    }
  }
}
