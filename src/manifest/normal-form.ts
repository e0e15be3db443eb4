/** The one form that Function CRs of every version are read into. */
import type { Place } from "../core/errors";

export interface FunctionManifest {
  name: string;
  namespace: string;
  version: string;
  runtime: "Async" | "Knative";
  /** Environment of the function: `serving.params`. */
  params: Record<string, string>;
  annotations: Record<string, string>;
  inputs: ManifestInput[];
  outputs: ManifestOutput[];
  states: ManifestState[];
  components: ComponentDeclaration[];
  /** Plugins to run before and after every call; undefined: nothing is said. */
  plugins: ManifestPlugins;
  /** The annotation `plugins.tracing`, as the function context has it. */
  tracing: Record<string, unknown> | undefined;
  /** `--retry` of the function, checked; undefined: nothing is said. */
  retry: string | undefined;
  /** What only v1beta2 has. */
  v1beta2?: {
    /** Sources that can be read and feed nothing. */
    readable: ManifestInput[];
    hooks: ManifestPlugins;
    tracing: Record<string, unknown> | undefined;
  };
  /** Lines for the user: what the platform makes of it differs from what one would expect. */
  notices: string[];
  /** Sub-folder of the sources: `build.srcRepo.sourceSubPath`. */
  sourceSubPath: string | undefined;
  /** Of the Function document. */
  place: Place;
  /** Of a field, for problems found later. */
  placeOf(path: readonly (string | number)[]): Place;
}

export interface ManifestPlugins {
  pre: string[] | undefined;
  post: string[] | undefined;
}

interface ManifestComponentUse {
  name: string;
  component: string;
  topic: string | undefined;
  place: Place;
}

export type ManifestInput = ManifestComponentUse;

export interface ManifestOutput extends ManifestComponentUse {
  operation: string | undefined;
  metadata: Record<string, string>;
}

export interface ManifestState {
  name: string;
  component: string;
  place: Place;
}

/** A Dapr component, declared inside a Function or by a document of its own. */
export interface ComponentDeclaration {
  name: string;
  type: string;
  version: string;
  metadata: Record<string, string>;
  /** App ids that may use it; empty = all. */
  scopes: string[];
  place: Place;
}
