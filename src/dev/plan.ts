/** From manifests to what must run: per function its folder, environment, components. Every problem is found before anything starts. */
import { statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { type FrameworkError, frameworkError, isFrameworkError } from "../core/errors";
import { componentTypeOf } from "../local/components/table";
import { contextOf, contextV1beta2Of } from "../manifest/context-of";
import type {
  ComponentDeclaration,
  FunctionManifest,
  ManifestInput,
  ManifestState,
} from "../manifest/normal-form";
import type { Manifests } from "../manifest/read";
import { signatures } from "../signatures/table";

export interface FunctionPlan {
  name: string;
  namespace: string;
  /** As on the platform: `<function>-<namespace>`. */
  appId: string;
  /** Where the module is, and the working folder of its process. */
  folder: string;
  /** What is set beside the shell's environment. */
  env: Record<string, string>;
  /** The components it may use. */
  components: ComponentDeclaration[];
  isAsync: boolean;
  inputs: readonly ManifestInput[];
}

export interface Plan {
  functions: FunctionPlan[];
  /** True when a component talks to a broker. */
  needsBroker: boolean;
  /** Lines for the user. */
  notices: string[];
  problems: FrameworkError[];
}

export function makePlan({ functions, components, ignored, problems: found }: Manifests, cwd: string): Plan {
  const problems = [...found];
  const plans = functions.map((manifest) => planFunction(manifest, components, cwd, problems));
  const used = plans.flatMap((plan) => plan.components);
  return {
    functions: plans,
    needsBroker: used.some((component) => usesBroker(component)),
    notices: [...ignored, ...functions.flatMap((one) => [...one.notices, ...protocolNotice(one)])],
    problems,
  };
}

function planFunction(
  manifest: FunctionManifest,
  shared: readonly ComponentDeclaration[],
  cwd: string,
  problems: FrameworkError[],
): FunctionPlan {
  const { name, namespace, runtime, params, inputs, outputs, states, retry } = manifest;
  const appId = `${name}-${namespace}`;
  const known = visibleComponents(manifest, shared, appId);
  for (const use of inputs) checkUse(use, known, problems);
  for (const use of outputs) checkUse(use, known, problems);
  for (const use of states) checkState(use, known, problems);
  checkTopics(inputs, problems);
  if (runtime === "Knative" && inputs.length > 0) {
    const why = "only feed a function whose serving.runtime is async";
    problems.push(
      frameworkError("FF_MANIFEST_FIELD", { path: "spec.serving.inputs", why }, { place: inputs[0]?.place }),
    );
  }
  checkSignature(manifest, problems);
  const v1beta2 = contextV1beta2Of(manifest, known);
  const components = [...known.values()]; // as on the platform: also those that only ctx.dapr() may use
  for (const component of components) checkComponent(component, appId, problems);
  return {
    name,
    namespace,
    appId,
    folder: folderOf(manifest, cwd),
    env: {
      ...(retry !== undefined && { FUNC_RETRY: retry }),
      FUNC_CONTEXT: JSON.stringify(contextOf(manifest, known)),
      FUNC_CONTEXT_V1BETA2: v1beta2 ? JSON.stringify(v1beta2) : "", // that of the shell is of another function
      ...params, // as on the platform they win
    },
    components,
    isAsync: runtime === "Async",
    inputs,
  };
}

// Declared inside the function first, then the documents of their own that are meant for it.
function visibleComponents(
  { components }: FunctionManifest,
  shared: readonly ComponentDeclaration[],
  appId: string,
) {
  const visible = shared.filter(({ scopes }) => scopes.length === 0 || scopes.includes(appId));
  return new Map([...visible, ...components].map((component) => [component.name, component]));
}

function checkUse(
  { component, topic, place }: ManifestInput,
  known: ReadonlyMap<string, ComponentDeclaration>,
  problems: FrameworkError[],
): void {
  if (component === "") return; // said already: it is missing
  const declared = known.get(component);
  if (!declared) {
    problems.push(frameworkError("FF_COMPONENT_UNKNOWN", { component, known: [...known.keys()] }, { place }));
    return;
  }
  const isPubSub = declared.type.toLowerCase().startsWith("pubsub.");
  const wrong = (why: string) =>
    problems.push(frameworkError("FF_MANIFEST_FIELD", { path: `the use of "${component}"`, why }, { place }));
  if (isPubSub && topic === undefined) wrong("needs a topic, because it is a pub/sub component");
  if (!isPubSub && topic !== undefined) wrong("has a topic, which only pub/sub components know");
}

function checkState(
  { component, place }: ManifestState,
  known: ReadonlyMap<string, ComponentDeclaration>,
  problems: FrameworkError[],
): void {
  const declared = known.get(component);
  if (!declared)
    problems.push(frameworkError("FF_COMPONENT_UNKNOWN", { component, known: [...known.keys()] }, { place }));
  else if (declared.type && !declared.type.toLowerCase().startsWith("state.")) {
    const why = `is of type "${declared.type}", which is no state store`;
    problems.push(frameworkError("FF_MANIFEST_FIELD", { path: `the state "${component}"`, why }, { place }));
  }
}

// Two inputs on one source would share a path in the function.
function checkTopics(inputs: readonly ManifestInput[], problems: FrameworkError[]): void {
  const seen = new Set<string>();
  for (const { component, topic, place } of inputs) {
    const source = JSON.stringify([component, topic]);
    if (seen.has(source)) {
      const why = `reads "${component}" a second time`;
      problems.push(frameworkError("FF_MANIFEST_FIELD", { path: "an input", why }, { place }));
    }
    seen.add(source);
  }
}

function checkSignature({ params, placeOf }: FunctionManifest, problems: FrameworkError[]): void {
  const signature = params.FUNCTION_SIGNATURE_TYPE;
  const known = Object.keys(signatures);
  if (!signature || known.includes(signature)) return;
  const path = ["spec", "serving", "params", "FUNCTION_SIGNATURE_TYPE"];
  const why = `must be one of ${known.join(", ")}, not "${signature}"`;
  problems.push(frameworkError("FF_MANIFEST_FIELD", { path: path.join("."), why }, { place: placeOf(path) }));
}

// Opened once to have its metadata checked; nothing is connected by that.
function checkComponent(component: ComponentDeclaration, appId: string, problems: FrameworkError[]): void {
  try {
    const opened = componentTypeOf(component).open(component, { appId, onNotice: () => undefined });
    void opened.stop();
  } catch (err) {
    if (!isFrameworkError(err)) throw err;
    problems.push(err);
  }
}

function usesBroker(component: ComponentDeclaration): boolean {
  try {
    return componentTypeOf(component).usesBroker;
  } catch {
    return false; // its type is a problem already
  }
}

// The CR's folder, or the sub-folder it builds from where that exists.
function folderOf({ place, sourceSubPath }: FunctionManifest, cwd: string): string {
  const folder = dirname(resolve(cwd, place.file));
  const below = sourceSubPath === undefined ? folder : join(folder, sourceSubPath);
  if (statSync(below, { throwIfNoEntry: false })?.isDirectory()) return below;
  return folder;
}

// On the platform the default is gRPC, which reaches a Node function only since it says so.
function protocolNotice({ name, runtime, annotations }: FunctionManifest): string[] {
  if (runtime !== "Async") return [];
  const protocol = annotations["dapr.io/app-protocol"];
  if (protocol === "http") return [];
  const said =
    protocol === undefined
      ? "says nothing of dapr.io/app-protocol, which means grpc on the platform"
      : `asks for ${protocol}`;
  return [`Function "${name}" ${said}; here it is fed over HTTP.`];
}
