/** Function CRs of core.openfunction.io/v1beta1. */
import type { Path, SourceDocument } from "../core/document";
import type { FrameworkError } from "../core/errors";
import { readAnnotations } from "./annotations";
import { type ComponentSources, readComponent } from "./component";
import { FieldReader } from "./fields";
import type {
  ComponentDeclaration,
  FunctionManifest,
  ManifestInput,
  ManifestOutput,
  ManifestState,
} from "./normal-form";

export function readFunctionV1beta1(
  document: SourceDocument,
  problems: FrameworkError[],
  sources: ComponentSources,
): FunctionManifest {
  const reader = new FieldReader(document, problems);
  return {
    name: readName(reader),
    namespace: reader.text(["metadata", "namespace"]) || "default",
    version: reader.text(["spec", "version"]) ?? "latest",
    runtime: readRuntime(reader),
    params: readParams(reader),
    ...readAnnotations(reader),
    notices: [],
    inputs: readUses(reader, "inputs"),
    outputs: readOutputs(reader),
    states: readStates(reader),
    components: [
      ...readComponents(reader, "bindings", sources),
      ...readComponents(reader, "pubsub", sources),
      ...readComponents(reader, "states", sources),
    ],
    sourceSubPath: reader.text(["spec", "build", "srcRepo", "sourceSubPath"]),
    place: reader.place(["kind"]),
    placeOf: document.placeOf,
  };
}

// What no process can be given as its environment, or what Node uses to start it.
export function readParams(reader: FieldReader): Record<string, string> {
  const path = ["spec", "serving", "params"];
  const params = reader.texts(path);
  for (const [name, value] of Object.entries(params)) {
    if (!/^[A-Za-z_][\w.-]*$/.test(name) || name.startsWith("NODE_CHANNEL_"))
      reader.problem([...path, name], "cannot be the name of an environment variable");
    else if (value.includes("\0")) reader.problem([...path, name], "holds a NUL character");
    else if (value.length > longestParam)
      reader.problem([...path, name], `is longer than ${longestParam} characters`);
  }
  return params;
}

const longestParam = 100_000; // Linux takes 128 KiB for one variable

// RFC 1123 label, the rule of Kubernetes for names that become host names.
export function readName(reader: FieldReader): string {
  const name = reader.required(["metadata", "name"]);
  if (name && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) {
    reader.problem(["metadata", "name"], `must be lower-case letters, digits and "-", not "${name}"`);
  }
  return name;
}

function readRuntime(reader: FieldReader): FunctionManifest["runtime"] {
  if (reader.get(["spec", "serving"]) === undefined)
    reader.problem(["spec", "serving"], "is missing: there is nothing to run");
  const path = ["spec", "serving", "runtime"];
  const word = reader.text(path)?.toLowerCase();
  if (word === "async") return "Async";
  if (word === undefined || word === "knative") return "Knative";
  reader.problem(path, `must be knative or async, not "${reader.text(path)}"`);
  return "Async"; // one mistake is one problem: nothing else is wrong with the inputs of an unknown runtime
}

function readUses(reader: FieldReader, field: "inputs" | "outputs"): ManifestInput[] {
  const uses: ManifestInput[] = [];
  for (const index of reader.list(["spec", "serving", field]).keys()) {
    const path = ["spec", "serving", field, index];
    const component = reader.required([...path, "component"]);
    const name = reader.text([...path, "name"]) || component;
    if (uses.some((use) => use.name === name)) reader.problem([...path, "name"], `"${name}" is given twice`);
    uses.push({
      name,
      component,
      topic: reader.text([...path, "topic"]) || undefined,
      place: reader.place(path),
    });
  }
  return uses;
}

function readOutputs(reader: FieldReader): ManifestOutput[] {
  return readUses(reader, "outputs").map((use, index) => {
    const path = ["spec", "serving", "outputs", index];
    return {
      ...use,
      operation: reader.text([...path, "operation"]),
      metadata: reader.texts([...path, "params"]),
    };
  });
}

// Each is declared here, or, with nothing below its name, a component that exists.
export function readStates(reader: FieldReader): ManifestState[] {
  const path = ["spec", "serving", "states"];
  return Object.keys(reader.map(path)).map((name) => ({
    name,
    component: name,
    place: reader.place([...path, name]),
  }));
}

const kinds = { bindings: "bindings", pubsub: "pubsub", states: "state" };

export function readComponents(
  reader: FieldReader,
  field: keyof typeof kinds,
  sources: ComponentSources,
  below: Path = [],
): ComponentDeclaration[] {
  const path: Path = ["spec", "serving", field];
  const names = Object.keys(reader.map(path));
  return names.filter(isDeclared).map((name) => {
    const component = readComponent(reader, name, [...path, name, ...below], sources);
    const kind = component.type.toLowerCase().split(".")[0];
    if (component.type && kind !== kinds[field])
      reader.problem(
        [...path, name, ...below, "type"],
        `must begin with "${kinds[field]}.", not be "${component.type}"`,
      );
    return component;
  });

  function isDeclared(name: string): boolean {
    return field !== "states" || Object.keys(reader.map([...path, name, ...below])).length > 0;
  }
}
