/** Which path of the Dapr app protocol belongs to which input. */
import type { IncomingMessage } from "node:http";

import { parseContentType } from "../core/content";
import { decodeHeaderValue, hopByHop } from "../core/http";
import type { Trigger } from "../core/invocation";
import { decodePercent } from "../core/url";
import { announcedRoute, readEnvelope, type Subscription } from "../dapr/protocol";
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
export type RouteTable = ReadonlyMap<string, readonly Route[]>;

export function routesOf({ inputs }: FunctionContext): RouteTable {
  const routes = new Map<string, Route[]>();
  const add = (path: string, route: Route) => routes.set(path, [...(routes.get(path) ?? []), route]);
  for (const [name, component] of Object.entries(inputs)) {
    const { componentName, componentType, uri = "" } = component;
    if (componentType.startsWith("bindings.")) {
      add(`/${componentName}`, { caller: "binding", name, component, trigger: `binding:${componentName}` });
      continue;
    }
    const topic = { name, component, trigger: `topic:${componentName}/${uri}` } as const;
    add(announcedRoute(componentName, uri), { caller: "announced", ...topic });
    // Subscriptions written by hand for the upstream framework use its form.
    add(`/${componentName}--${uri}--default`.toLowerCase(), { caller: "announced", ...topic });
    add(`/${uri}`, { caller: "topic", ...topic });
  }
  return routes;
}

/** The routes of a path, as it stands or percent-decoded. */
export function findRoutes(routes: RouteTable, path: string): readonly Route[] | undefined {
  return routes.get(path) ?? routes.get(decodePercent(path));
}

/** What `GET /dapr/subscribe` answers. */
export function subscriptionsOf({ inputs }: FunctionContext): Subscription[] {
  return Object.values(inputs)
    .filter(({ componentType }) => componentType.startsWith("pubsub."))
    .map(({ componentName, uri = "", metadata }) => ({
      pubsubname: componentName,
      topic: uri,
      route: announcedRoute(componentName, uri),
      ...(metadata && { metadata }),
    }));
}

/** The route that is meant when a path has several. */
export function chooseRoute(candidates: readonly Route[], req: IncomingMessage, bytes: Buffer): Route {
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const isEvent = parseContentType(req.headers["content-type"]).type === "application/cloudevents+json";
  const suitable = candidates.filter((route) => (route.caller !== "binding") === isEvent);
  const pubsub = readEnvelope(bytes).event?.pubsubname ?? req.headers.pubsubname;
  return (suitable.find((route) => route.component.componentName === pubsub) ??
    suitable[0] ??
    candidates[0]) as Route;
}

const notMetadata = /^(content-|dapr-api-token$|traceparent$|tracestate$|baggage$|user-agent$|accept)/;

/** `ctx.input`; the metadata is picked from the headers when somebody asks. */
export class Input implements InvocationInput {
  readonly name: string;
  readonly componentName: string;
  readonly componentType: string;
  readonly topic?: string;
  readonly #req: IncomingMessage;
  #metadata: Record<string, string> | undefined;

  constructor({ name, component, caller }: Route, req: IncomingMessage) {
    this.name = name;
    this.componentName = component.componentName;
    this.componentType = component.componentType;
    if (caller !== "binding" && component.uri !== undefined) this.topic = component.uri;
    this.#req = req;
  }

  get metadata(): Record<string, string> {
    this.#metadata ??= metadataOf(this.#req);
    return this.#metadata;
  }
}

function metadataOf({ headers }: IncomingMessage): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !notMetadata.test(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, decodeHeaderValue(String(value))]));
}
