/** Function CRs of core.openfunction.io/v1beta2. */
import type { Path, SourceDocument } from "../core/document";
import type { FrameworkError } from "../core/errors";
import { readAnnotations } from "./annotations";
import type { ComponentSources } from "./component";
import { FieldReader } from "./fields";
import { readComponents, readName, readParams, readStates } from "./function-v1beta1";
import type {
  FunctionManifest,
  ManifestInput,
  ManifestOutput,
  ManifestPlugins,
  ManifestState,
} from "./normal-form";

export function readFunctionV1beta2(
  document: SourceDocument,
  problems: FrameworkError[],
  sources: ComponentSources,
): FunctionManifest {
  const reader = new FieldReader(document, problems);
  if (reader.get(serving) === undefined) reader.problem(serving, "is missing: there is nothing to run");
  const name = readName(reader);
  const inputs = readUses(reader, ["triggers", "dapr"], { below: [], alias: "inputName" });
  const outputs = readUses(reader, ["outputs"], { below: ["dapr"], alias: "outputName" });
  checkHttp(reader);
  return {
    name,
    namespace: reader.text(["metadata", "namespace"]) || "default",
    version: reader.text(["spec", "version"]) ?? "latest",
    // As the platform has it: an http trigger besides changes nothing.
    runtime: inputs.length > 0 ? "Async" : "Knative",
    params: readParams(reader),
    ...readAnnotations(reader),
    inputs,
    outputs: outputs.map((use, index) => readOutput(reader, use, [...serving, "outputs", index, "dapr"])),
    states: readOwnStates(reader),
    components: [
      ...readComponents(reader, "bindings", sources),
      ...readComponents(reader, "pubsub", sources),
      ...readComponents(reader, "states", sources, ["spec"]),
    ],
    v1beta2: {
      readable: readUses(reader, ["triggers", "inputs"], { below: ["dapr"] }),
      hooks: readHooks(reader),
      tracing: readTracing(reader),
    },
    notices: noticesOf(reader, name, inputs),
    sourceSubPath: reader.text(["spec", "build", "srcRepo", "sourceSubPath"]),
    place: reader.place(["kind"]),
    placeOf: document.placeOf,
  };
}

const serving: Path = ["spec", "serving"];

interface UseForm {
  /** Where the fields of an entry are. */
  below: Path;
  /** The field with a name of its own. */
  alias?: string;
}

function readUses(reader: FieldReader, field: Path, { below, alias }: UseForm): ManifestInput[] {
  const uses: ManifestInput[] = [];
  const list: Path = [...serving, ...field];
  for (const index of reader.list(list).keys()) {
    const path = [...list, index, ...below];
    const component = reader.required([...path, "name"]);
    const name = (alias && reader.text([...path, alias])) || component;
    if (alias && component && uses.some((use) => use.name === name))
      reader.problem([...path, "name"], `"${name}" is given twice: tell them apart by ${alias}`);
    reader.text([...path, "type"]);
    uses.push({
      name,
      component,
      topic: reader.text([...path, "topic"]) || undefined,
      place: reader.place(path),
    });
  }
  return uses;
}

function readOutput(reader: FieldReader, use: ManifestInput, path: Path): ManifestOutput {
  return {
    ...use,
    operation: reader.text([...path, "operation"]),
    metadata: reader.texts([...path, "metadata"]),
  };
}

function checkHttp(reader: FieldReader): void {
  const http: Path = [...serving, "triggers", "http"];
  const port = reader.text([...http, "port"]);
  if (port !== undefined && !/^\d{1,5}$/.test(port))
    reader.problem([...http, "port"], `must be a port, not "${port}"`);
  const engine = reader.text([...http, "engine"]);
  if (engine !== undefined && engine !== "knative" && engine !== "keda")
    reader.problem([...http, "engine"], `must be knative or keda, not "${engine}"`);
}

// v1beta1 has the declaration one level higher.
function readOwnStates(reader: FieldReader): ManifestState[] {
  const states = readStates(reader);
  for (const { name } of states) {
    const path: Path = [...serving, "states", name];
    if (reader.get([...path, "spec"]) === undefined && reader.get([...path, "type"]) !== undefined)
      reader.problem(
        path,
        "declares its store below spec in v1beta2: spec.type, spec.version, spec.metadata",
      );
  }
  return states;
}

// The platform appends them to its own, or with Override leaves its own out. Here there are none but these.
function readHooks(reader: FieldReader): ManifestPlugins {
  const path: Path = [...serving, "hooks"];
  const policy = reader.text([...path, "policy"]);
  if (policy !== undefined && policy !== "Append" && policy !== "Override")
    reader.problem([...path, "policy"], `must be Append or Override, not "${policy}"`);
  const names = (list: string) =>
    reader.get([...path, list]) === undefined
      ? undefined
      : reader.list([...path, list]).map((_, index) => reader.text([...path, list, index]) ?? "");
  return { pre: names("pre"), post: names("post") };
}

function readTracing(reader: FieldReader): Record<string, unknown> | undefined {
  const path: Path = [...serving, "tracing"];
  return reader.get(path) === undefined ? undefined : reader.map(path);
}

function noticesOf(reader: FieldReader, name: string, inputs: readonly ManifestInput[]): string[] {
  const hasHttp = reader.get([...serving, "triggers", "http"]) !== undefined;
  if (!hasHttp || inputs.length === 0) return [];
  return [
    `Function "${name}" has an http and a dapr trigger, which the platform takes for an asynchronous function: nothing is served over HTTP.`,
  ];
}
