/** What `POST /v1/invoke` means: which function, on which of its inputs. */
import { frameworkError } from "../core/errors";
import { listed } from "../core/suggest";
import { describe } from "../core/value";
import { matchesFilter } from "../local/components/topic-filter";
import type { ManifestInput } from "../manifest/normal-form";
import type { InvokeRequest } from "./invoke-request";
import type { FunctionPlan } from "./plan";

/** The function, and the path of its input; of an HTTP function it is empty. */
export function inputOf(
  functions: readonly FunctionPlan[],
  { function: name, binding }: InvokeRequest,
): { plan: FunctionPlan; path: string } {
  const named = name === undefined ? functions : [findFunction(functions, name)];
  if (binding === undefined) {
    const [plan] = named as [FunctionPlan];
    return { plan, path: plan.isAsync ? pathOf(onlyInput(plan)) : "" };
  }
  const found = named.flatMap((plan) => {
    const input = plan.inputs.find(
      (one) => one.topic === undefined && (one.component === binding || one.name === binding),
    );
    return input ? [{ plan, path: pathOf(input) }] : [];
  });
  const [first, ...others] = found;
  if (!first) throw unknownInput(binding, named, ({ topic }) => topic === undefined);
  if (others.length > 0)
    throw ambiguous(
      "function",
      found.map(({ plan }) => plan.name),
      name,
    );
  return first;
}

/** Through whose sidecar it is published, as what component, and who is subscribed. */
export function topicOf(
  functions: readonly FunctionPlan[],
  topic: string,
  { function: name, pubsub }: InvokeRequest,
): { plan: FunctionPlan; pubsub: string; subscribers: string[] } {
  const named = name === undefined ? functions : [findFunction(functions, name)];
  const isWanted = (input: ManifestInput) =>
    input.topic !== undefined && (pubsub === undefined || input.component === pubsub);
  const subscribed = named.flatMap((plan) =>
    plan.inputs
      .filter((input) => isWanted(input) && matchesFilter(input.topic ?? "", topic))
      .map(({ component }) => ({ plan, component })),
  );
  const declared = named.flatMap((plan) =>
    plan.components
      .filter((one) => one.type.toLowerCase().startsWith("pubsub.") && (pubsub ?? one.name) === one.name)
      .map((one) => ({ plan, component: one.name })),
  );
  const choices = subscribed.length > 0 ? subscribed : declared;
  const [first] = choices;
  if (!first) throw unknownInput(pubsub ?? topic, named, (input) => input.topic !== undefined);
  const components = [...new Set(choices.map(({ component }) => component))];
  if (components.length > 1) throw ambiguous("pubsub", components, pubsub);
  return {
    plan: first.plan,
    pubsub: first.component,
    subscribers: [...new Set(subscribed.map(({ plan }) => plan.name))],
  };
}

function findFunction(functions: readonly FunctionPlan[], name: string): FunctionPlan {
  const plan = functions.find((one) => one.name === name);
  if (plan) return plan;
  const known = functions.map((one) => one.name);
  throw frameworkError("FF_CONTROL_FUNCTION_UNKNOWN", { function: name, known });
}

// The paths of inputs are the app protocol's: a binding is called by its component, a topic by itself.
const pathOf = ({ component, topic }: ManifestInput) =>
  `/${(topic ?? component).split("/").map(encodeURIComponent).join("/")}`;

function onlyInput({ inputs }: FunctionPlan): ManifestInput {
  const [first, ...others] = inputs;
  if (first && others.length === 0) return first;
  throw ambiguous("binding or topic", inputs.map(labelOf), undefined);
}

const labelOf = ({ component, topic }: ManifestInput) => topic ?? component;

function unknownInput(
  input: string,
  functions: readonly FunctionPlan[],
  isOfKind: (input: ManifestInput) => boolean,
) {
  const known = functions.flatMap(({ inputs }) => inputs.filter(isOfKind).map(labelOf));
  return frameworkError("FF_CONTROL_INPUT_UNKNOWN", { input, known: [...new Set(known)] });
}

const ambiguous = (field: string, choices: readonly string[], value: string | undefined) =>
  frameworkError("FF_CONTROL_FIELD", {
    field,
    allowed: `one of ${listed([...choices])}`,
    value: describe(value),
  });
