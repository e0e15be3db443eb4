/** The local runtime: an embedded sidecar for one function. Between it and the function there is nothing but loopback HTTP. */
import { randomUUID } from "node:crypto";
import { once, setMaxListeners } from "node:events";

import type { BackoffRule } from "../core/backoff";
import { frameworkError } from "../core/errors";
import { lazyRequire } from "../core/lazy";
import { background } from "../core/lifecycle";
import { log, logError } from "../core/log";
import { listenByRule, type PortOptions, type PortWish } from "../core/ports";
import { isExpired, wrapRaw } from "../dapr/envelope";
import { isTrueWord, metadataValue } from "../dapr/metadata";
import { readEvent } from "../dapr/protocol";
import { createApi } from "./api";
import { type AppChannel, type AppSubscription, createAppChannel } from "./app";
import { bindingPath, directionOf } from "./binding-metadata";
import { type BulkRule, createBulk, type Gather } from "./bulk";
import type {
  AppReply,
  BindingComponent,
  ComponentEnvironment,
  ComponentSpec,
  LocalComponent,
  Message,
  MessageHandler,
  PubSubComponent,
} from "./components/component";
import { createDelivery, keepBackoff } from "./delivery";
import { createRouting } from "./routing";

export interface RuntimeOptions {
  /** Name of the function, for the news. */
  function: string;
  appId: string;
  components: readonly ComponentSpec[];
  port: PortWish;
  /** What the metadata call the app's port. Default: that of its address. */
  appPort?: number | undefined;
  /** Names that a Host may say beside those of this machine. */
  allowedHosts?: readonly string[] | undefined;
  onMoved?: PortOptions["onMoved"];
  /** Takes the place of the brokers that the components declare. */
  embeddedBroker?: string | undefined;
  onNotice: ComponentEnvironment["onNotice"];
  /** DAPR_API_TOKEN and APP_API_TOKEN. */
  apiToken?: string | undefined;
  appToken?: string | undefined;
  /** Between attempts. Default: 1 s doubling to 30 s. */
  backoff?: BackoffRule;
  /** What becomes of a message that the app does not take. Default `keep`. */
  redelivery?: Redelivery | undefined;
  /** Under `keep`: attempts until a message is given up. Default: it never is. */
  maxAttempts?: number;
  /** Opens a component. Default: by the table of component types. */
  open?: OpenComponent;
}

/** `keep`: it is tried again until the app has it. `daprd`: once, as daprd without a resiliency policy does. */
export type Redelivery = "keep" | "daprd";

export type OpenComponent = (spec: ComponentSpec, environment: ComponentEnvironment) => LocalComponent;

export interface Runtime {
  port: number;
  components: ReadonlyMap<string, LocalComponent>;
  /**
   * The app listens at this URL, `tcp:HOST:PORT` or `unix:PATH`: its subscriptions start, and deliveries go to it. Again
   * after it was replaced: what the app before has is finished there.
   */
  attach(address: string): Promise<void>;
  /** The app is gone: deliveries wait. */
  detach(): void;
  stop(): Promise<void>;
}

/** Opens the components and listens. Errors: FF_COMPONENT_TYPE, FF_COMPONENT_METADATA, FF_PORT_IN_USE. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { appId, appToken, apiToken, onNotice, embeddedBroker, backoff = keepBackoff } = options;
  const { open = openByTable } = options;
  const isOnce = options.redelivery === "daprd";
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // every message that waits listens to it
  const components = openComponents(options.components, open, { appId, embeddedBroker, onNotice });
  const app = createAppHolder();
  const started = new Map<string, AppSubscription | true>();
  const deliver = createDelivery({
    function: options.function,
    whenReady: isOnce ? async () => undefined : app.whenReady, // daprd finds nobody there, and that is that
    backoff,
    maxAttempts: isOnce ? 1 : options.maxAttempts,
    buriesGivenUp: isOnce,
    signal: stopping.signal,
  });

  const server = createApi({
    appId,
    components,
    app: () => ({
      port: app.isThere() ? (options.appPort ?? app.port()) : undefined,
      subscriptions: [...started.values()].flatMap(describeSubscription),
    }),
    isAppReady: app.isThere,
    token: apiToken,
    allowedHosts: options.allowedHosts,
  });
  const port = await listenByRule(
    server,
    options.port,
    options.onMoved ? { onMoved: options.onMoved } : {},
  ).catch(async (err) => {
    await stopComponents(components);
    throw err;
  });

  // daprd drops an event that the app answers 404; `keep` keeps it.
  const wordOf = ({ word, http }: AppReply) => (isOnce && http?.status === 404 ? "DROP" : word);

  async function startSubscription(component: PubSubComponent, subscription: AppSubscription): Promise<void> {
    const { topic, route, rules, metadata, deadLetterTopic, bulk } = subscription;
    const isRaw = isTrueWord(metadataValue(metadata, "rawPayload"));
    const pathOf = createRouting(rules, route);
    // Events of different paths are never in one bulk.
    const gatherers = new Map<string, Gather>();
    const gathererOf = (path: string, rule: BulkRule) => {
      const post = async (body: Buffer) =>
        app.channel().deliverBulk(path, body, { pubsubname: component.name });
      const gather = gatherers.get(path) ?? createBulk({ ...rule, pubsub: component.name, topic, post });
      gatherers.set(path, gather);
      return gather;
    };
    const handle: MessageHandler = (message) => {
      const raw = isRaw ? wrapRaw(component.name, message.topic, message.payload) : undefined;
      const body = raw ? Buffer.from(JSON.stringify(raw)) : message.payload;
      const event = raw ?? readEvent(body);
      const headers = { ...message.metadata, pubsubname: component.name };
      const path = pathOf(event);
      const post = async (to: string): Promise<AppReply> =>
        bulk
          ? {
              word: await gathererOf(
                to,
                bulk,
              )({
                ...bulkEvent(message.payload, isRaw),
                metadata: message.metadata,
              }),
            }
          : app.channel().deliverEvent(to, body, headers);
      return deliver({
        id: typeof event?.id === "string" ? event.id : randomUUID(),
        component: component.name,
        topic: message.topic,
        // No path is meant by it, or the time to live that its sender gave it is over: the app is not called.
        attempt: async () =>
          path === undefined || (event && isExpired(event))
            ? "DROP"
            : wordOf(heard(message, await post(path))),
        onDrop:
          deadLetterTopic === undefined ? undefined : () => component.publish(deadLetterTopic, body, {}),
      });
    };
    await component.subscribe(topic, handle, metadata);
  }

  async function startBinding(component: BindingComponent, path: string): Promise<void> {
    await component.read?.((message) => {
      const { topic, payload, metadata } = message;
      const attempt = async () =>
        heard(message, await app.channel().deliverBinding(path, payload, metadata)).word;
      return deliver({ id: randomUUID(), component: component.name, topic, attempt });
    });
  }

  /** What the app wants and does not have yet: after a restart of the app the same subscription goes on. */
  async function discover(channel: AppChannel): Promise<void> {
    const starts: Promise<void>[] = [];
    const start = (key: string, what: AppSubscription | true, work: () => Promise<void>) => {
      if (started.has(key)) return;
      started.set(key, what);
      starts.push(work());
    };
    for (const subscription of await channel.subscriptions()) {
      const { pubsubname, topic } = subscription;
      const component = components.get(pubsubname);
      start(`${pubsubname}/${topic}`, subscription, async () => {
        if (component?.kind === "pubsub") return startSubscription(component, subscription);
        log.warn(
          `The app subscribes to "${topic}" of "${pubsubname}", but no pub/sub component has that name.`,
        );
      });
    }
    for (const spec of options.components) {
      const component = components.get(spec.name);
      if (component?.kind !== "binding" || !component.read || started.has(component.name)) continue;
      const path = bindingPath(spec);
      const { reads = await channel.wantsBinding(path) } = directionOf(spec);
      if (reads) start(component.name, true, () => startBinding(component, path));
      else if (path !== `/${component.name}`)
        log.warn(
          `The app does not read the binding "${component.name}": it answers nothing at its route ${path}.`,
        );
    }
    await Promise.all(starts);
  }

  return {
    port,
    components,
    async attach(address) {
      const onMissing = (path: string) => onNotice(frameworkError("FF_DELIVERY_ROUTE_MISSING", { path }));
      const channel = createAppChannel({ address, appId, token: appToken, onMissing });
      try {
        await discover(channel);
      } catch (err) {
        await channel.close();
        throw err;
      }
      app.set(channel, portOf(address));
    },
    detach: () => app.clear(),
    async stop() {
      if (stopping.signal.aborted) return;
      stopping.abort(new Error("the runtime is stopping"));
      await stopComponents(components);
      app.clear();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function stopComponents(components: ReadonlyMap<string, LocalComponent>): Promise<void> {
  await Promise.all([...components.values()].map((component) => component.stop().catch(logError)));
}

function heard({ onReply }: Message, reply: AppReply): AppReply {
  onReply?.(reply);
  return reply;
}

// Not for those who bring their own: it loads the clients of all brokers.
const openByTable: OpenComponent = (spec, environment) => {
  const { componentTypeOf } = lazyRequire(
    "../local/components/table.js",
  ) as typeof import("./components/table");
  return componentTypeOf(spec).open(spec, environment);
};

function openComponents(
  specs: readonly ComponentSpec[],
  open: OpenComponent,
  environment: ComponentEnvironment,
): Map<string, LocalComponent> {
  const opened = new Map<string, LocalComponent>();
  try {
    for (const spec of specs) opened.set(spec.name, asDirected(spec, open(spec, environment)));
  } catch (err) {
    for (const component of opened.values()) background(component.stop());
    throw err;
  }
  return opened;
}

function asDirected(spec: ComponentSpec, component: LocalComponent): LocalComponent {
  if (component.kind !== "binding" || directionOf(spec).sends) return component;
  const { invoke, ...inputOnly } = component;
  return { ...inputOnly, operations: [] };
}

// Dapr: a CloudEvent as it is, anything else and what is raw in base64.
function bulkEvent(payload: Buffer, isRaw: boolean): { event: unknown; contentType: string } {
  const event = isRaw ? undefined : readEvent(payload);
  return event
    ? { event, contentType: "application/cloudevents+json" }
    : { event: payload.toString("base64"), contentType: "application/octet-stream" };
}

function describeSubscription(subscription: AppSubscription | true) {
  if (subscription === true) return [];
  const { pubsubname, topic, route, metadata, deadLetterTopic = "" } = subscription;
  const rules = [...subscription.rules, ...(route === undefined ? [] : [{ path: route }])];
  return [{ pubsubname, topic, rules, metadata, deadLetterTopic, type: "PROGRAMMATIC" }];
}

// The app now, and who waits for one.
function createAppHolder() {
  let current: { channel: AppChannel; port: number | undefined } | undefined;
  const waiting: (() => void)[] = [];

  return {
    isThere: () => current !== undefined,
    port: () => current?.port,
    channel(): AppChannel {
      if (!current) throw new Error("the app is not there");
      return current.channel;
    },
    set(channel: AppChannel, port: number | undefined) {
      const before = current;
      current = { channel, port };
      if (before) background(before.channel.close());
      for (const go of waiting.splice(0)) go();
    },
    clear() {
      if (current) background(current.channel.close());
      current = undefined;
    },
    async whenReady(signal: AbortSignal): Promise<void> {
      while (!current) {
        signal.throwIfAborted();
        await new Promise<void>((resolve, reject) => {
          const onAbort = () => reject(signal.reason);
          signal.addEventListener("abort", onAbort, { once: true });
          waiting.push(() => {
            signal.removeEventListener("abort", onAbort);
            resolve();
          });
        });
      }
      signal.throwIfAborted();
    },
  };
}

function portOf(address: string): number | undefined {
  const port = /:(\d+)\/?$/.exec(address)?.[1];
  return port === undefined || address.startsWith("unix:") ? undefined : Number(port);
}
