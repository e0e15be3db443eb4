/** Which path of the Dapr app protocol belongs to which input. */
import type { IncomingMessage } from "node:http";

import { decodeHeaderValue, hopByHop } from "../core/http";
import type { Trigger } from "../core/invocation";
import { decodePercent } from "../core/url";
import { metadataValue } from "../dapr/metadata";
import { announcedRoute, type Subscription } from "../dapr/protocol";
import type { FunctionContext, InvocationInput, OpenFunctionComponent } from "../functions/types";

/** Who posts to a path: a binding, a topic on the route we announced, or dapr-proxy on the bare topic. */
type Caller = "binding" | "announced" | "topic";

export interface Route {
  caller: Caller;
  name: string;
  component: OpenFunctionComponent;
  trigger: Trigger;
}

/** One path can have several meanings: a topic of two pub/subs, or a topic named like a binding. */
export interface RouteTable {
  readonly byPath: ReadonlyMap<string, readonly Route[]>;
  /** The routes of dapr-proxy, by what an event says of itself. */
  readonly byTopic: ReadonlyMap<string, Route>;
}

export function routesOf({ inputs }: FunctionContext): RouteTable {
  const byPath = new Map<string, Route[]>();
  const byTopic = new Map<string, Route>();
  const add = (path: string, route: Route) => byPath.set(path, [...(byPath.get(path) ?? []), route]);
  for (const [name, component] of triggersOf(inputs)) {
    const { componentName, uri = "" } = component;
    if (isBinding(component)) {
      const route = { caller: "binding", name, component, trigger: `binding:${componentName}` } as const;
      for (const path of bindingPaths(component)) add(path, route);
      continue;
    }
    const topic = { name, component, trigger: `topic:${componentName}/${uri}` } as const;
    add(announcedPath(name, component), { caller: "announced", ...topic });
    const key = topicKey(componentName, uri);
    // Who posts to these knows no rules: the input that takes all comes first.
    if (byTopic.has(key) && component.match) continue;
    byTopic.set(key, { caller: "topic", ...topic });
  }
  for (const topic of byTopic.values()) {
    const { componentName, uri = "" } = topic.component;
    // Subscriptions written by hand for the upstream framework use its form.
    add(`/${componentName}--${uri}--default`.toLowerCase(), { ...topic, caller: "announced" });
    add(`/${uri}`, topic);
  }
  return { byPath, byTopic };
}

/** Inputs that are only there to be read (FUNC_CONTEXT_V1BETA2) deliver nothing. */
function triggersOf(inputs: FunctionContext["inputs"]): [string, OpenFunctionComponent][] {
  return Object.entries(inputs).filter(([, { subscribed }]) => subscribed !== false);
}

function isBinding({ componentType }: OpenFunctionComponent): boolean {
  return componentType.startsWith("bindings.");
}

// Dapr: the metadata `route` of a binding takes the place of its name; dapr-proxy knows the name only.
function bindingPaths({ componentName, metadata = {} }: OpenFunctionComponent): Set<string> {
  const stated = metadataValue(metadata, "route");
  return new Set([`/${componentName}`, ...(stated ? [`/${stated.replace(/^\//, "")}`] : [])]);
}

/** The key of a topic in `byTopic`. */
export function topicKey(pubsub: unknown, topic: unknown): string {
  return `${pubsub}\0${topic}`;
}

/** The routes of a path, as it stands or percent-decoded. */
export function findRoutes({ byPath }: RouteTable, path: string): readonly Route[] | undefined {
  return byPath.get(path) ?? byPath.get(decodePercent(path));
}

function announcedPath(name: string, { componentName, uri = "", match }: OpenFunctionComponent): string {
  return announcedRoute(componentName, uri, match ? name : undefined);
}

/** What `GET /dapr/subscribe` answers: one entry a topic, whatever number of inputs share it. */
export function subscriptionsOf({ inputs }: FunctionContext): Subscription[] {
  const topics = new Map<string, [string, OpenFunctionComponent][]>();
  for (const [name, component] of triggersOf(inputs)) {
    if (isBinding(component)) continue;
    const key = topicKey(component.componentName, component.uri);
    topics.set(key, [...(topics.get(key) ?? []), [name, component]]);
  }
  return [...topics.values()].map(subscriptionOf);
}

function subscriptionOf(sharing: [string, OpenFunctionComponent][]): Subscription {
  const rules = sharing.flatMap(([name, component]) =>
    component.match ? [{ match: component.match, path: announcedPath(name, component) }] : [],
  );
  const rest = sharing.find(([, { match }]) => !match);
  const route = rest && announcedPath(...rest);
  const { componentName, uri = "" } = (sharing[0] as [string, OpenFunctionComponent])[1];
  const { metadata, deadLetterTopic, bulkSubscribe }: Partial<OpenFunctionComponent> = Object.assign(
    {},
    ...sharing.map(([, component]) => component),
  );
  return {
    pubsubname: componentName,
    topic: uri,
    ...(rules.length === 0 ? { route } : { routes: { rules, ...(route && { default: route }) } }),
    ...(metadata && { metadata }),
    ...(deadLetterTopic && { deadLetterTopic }),
    ...(bulkSubscribe?.enabled && { bulkSubscribe }),
  } as Subscription;
}

/** What ListInputBindings answers over gRPC. */
export function bindingsOf({ inputs }: FunctionContext): string[] {
  const bindings = triggersOf(inputs).filter(([, component]) => isBinding(component));
  return [...new Set(bindings.map(([, { componentName }]) => componentName))];
}

/**
 * The route that is meant by an event. dapr-proxy may post one to the path of another input when many come at once, so
 * what the event says of itself comes first, then the header, then the path.
 */
export function chooseTopic(
  { byTopic }: RouteTable,
  candidates: readonly Route[],
  event: Record<string, unknown> | undefined,
  header: string | string[] | undefined,
): Route {
  const pubsub = event?.pubsubname ?? header;
  const own = byTopic.get(topicKey(pubsub, event?.topic));
  if (own) return own;
  const topics = candidates.filter(({ caller }) => caller !== "binding");
  return (
    topics.find(({ component }) => component.componentName === pubsub) ??
    topics[0] ??
    (candidates[0] as Route)
  );
}

// Over HTTP/2 the pseudo headers and those of gRPC too. Binary metadata reaches nobody over HTTP, so it does nowhere.
const notMetadata =
  /^(:|grpc-|content-|dapr-api-token$|function-execution-id$|traceparent$|tracestate$|baggage$|user-agent$|accept)|-bin$/;

/** `ctx.input`; the metadata is picked from the headers when somebody asks. */
export class Input implements InvocationInput {
  readonly name: string;
  readonly componentName: string;
  readonly componentType: string;
  readonly topic?: string;
  readonly #req: Pick<IncomingMessage, "headers">;
  readonly #own: Record<string, string> | undefined;
  #metadata: Record<string, string> | undefined;

  /** `own`: metadata that stands in the message itself, as in a bulk; names in lower case. */
  constructor(
    { name, component, caller }: Route,
    req: Pick<IncomingMessage, "headers">,
    own?: Record<string, string>,
  ) {
    this.name = name;
    this.componentName = component.componentName;
    this.componentType = component.componentType;
    if (caller !== "binding" && component.uri !== undefined) this.topic = component.uri;
    this.#req = req;
    this.#own = own;
  }

  get metadata(): Record<string, string> {
    this.#metadata ??= { ...metadataOf(this.#req), ...this.#own };
    return this.#metadata;
  }
}

/** False for what belongs to the protocol; the name is in lower case. */
export function isMetadata(name: string): boolean {
  return !hopByHop.has(name) && !notMetadata.test(name);
}

function metadataOf({ headers }: Pick<IncomingMessage, "headers">): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => isMetadata(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, decodeHeaderValue(String(value))]));
}
