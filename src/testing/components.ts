/** Bindings and topics of tests, in memory: what is sent to them is recorded, what comes from them is pushed by the test. */
import { eventData } from "../core/cloudevent";
import { readEvent } from "../dapr/protocol";
import type { FunctionContext, SendOptions } from "../functions/types";
import type {
  BindingComponent,
  ComponentSpec,
  LocalComponent,
  MessageHandler,
  PubSubComponent,
} from "../local/components/component";
import type { RecordedSend, SendHandler } from "./recorder";
import { baseOf, type ListedStore, openSecrets, openStore, type TestSecrets } from "./stores";

/** A send as it reached the sidecar. */
export interface SidecarSend extends RecordedSend {
  /** Real name of the component. */
  component: string;
  /** Of a published message. */
  topic?: string;
  /** The envelope of a published message. */
  event?: Record<string, unknown>;
}

export interface TestComponents {
  specs: ComponentSpec[];
  open(spec: ComponentSpec): LocalComponent;
  readonly sent: SidecarSend[];
  /** What comes of sends, by output. */
  readonly handlers: Map<string, SendHandler>;
  /** Where messages of a binding go, or of a topic; undefined until the app reads it. */
  reader(component: string, topic?: string): MessageHandler | undefined;
  /** By the names of the context. */
  readonly stores: ReadonlyMap<string, ListedStore>;
}

const secretStore = "secrets";

export function createComponents(
  { inputs, outputs, states = {} }: FunctionContext,
  handlers: Map<string, SendHandler>,
  secrets: TestSecrets,
): TestComponents {
  const sent: SidecarSend[] = [];
  const readers = new Map<string, MessageHandler>();
  const stores = new Map<string, ListedStore>();
  const byComponent = new Map<string, ListedStore>();
  const specs = new Map<string, ComponentSpec>();
  const add = (name: string, type: string, metadata: Record<string, string> = {}) =>
    specs.set(name, { name, type, version: "v1", metadata: { ...specs.get(name)?.metadata, ...metadata } });
  for (const { componentName, componentType, metadata } of Object.values(inputs)) {
    const route = metadata?.route;
    add(componentName, componentType, route === undefined ? {} : { route });
  }
  for (const { componentName, componentType } of Object.values(outputs)) add(componentName, componentType);
  for (const [name, { componentName, componentType }] of Object.entries(states)) {
    add(componentName, componentType);
    const spec = specs.get(componentName) as ComponentSpec;
    const store = byComponent.get(componentName) ?? openStore(spec);
    byComponent.set(componentName, store);
    stores.set(name, store);
  }
  add(secretStore, "secretstores.in-memory");

  const outputOf = (component: string, topic?: string) =>
    Object.entries(outputs).find(
      ([, { componentName, uri }]) => componentName === component && (topic === undefined || uri === topic),
    )?.[0] ?? component;

  async function record(send: Omit<SidecarSend, "output">): Promise<unknown> {
    const output = outputOf(send.component, send.topic);
    sent.push({ output, ...send });
    return handlers.get(output)?.(send.data, send.options);
  }

  function binding(spec: ComponentSpec): BindingComponent {
    return {
      kind: "binding",
      ...baseOf(spec),
      operations: new AnyOperation(),
      read: async (handler) => void readers.set(readerKey(spec.name), handler),
      async invoke({ operation, data, metadata }) {
        const options = { operation, ...optionsOf(metadata) };
        const reply = await record({
          component: spec.name,
          data: JSON.parse(data.toString("utf8")),
          options,
        });
        return reply === undefined ? {} : { data: bytesOfReply(reply) };
      },
    };
  }

  function pubsub(spec: ComponentSpec): PubSubComponent {
    return {
      kind: "pubsub",
      ...baseOf(spec),
      subscribe: async (topic, handler) => void readers.set(readerKey(spec.name, topic), handler),
      async publish(topic, payload, metadata) {
        const event = readEvent(payload);
        const data = event ? eventData(event) : payload;
        const options = optionsOf(metadata);
        await record({ component: spec.name, topic, data, options, ...(event && { event }) });
      },
    };
  }

  return {
    specs: [...specs.values()],
    sent,
    handlers,
    stores,
    reader: (component, topic) => readers.get(readerKey(component, topic)),
    open(spec) {
      if (spec.name === secretStore) return openSecrets(spec, secrets);
      const store = byComponent.get(spec.name);
      return store ?? (spec.type.startsWith("pubsub.") ? pubsub(spec) : binding(spec));
    },
  };
}

function readerKey(component: string, topic = ""): string {
  return `${component}\0${topic}`;
}

// What a double can do is what the test says, so no operation is unknown.
class AnyOperation extends Array<string> {
  override includes(): boolean {
    return true;
  }
}

function optionsOf({ traceparent, tracestate, ...metadata }: Record<string, string>): SendOptions {
  return Object.keys(metadata).length > 0 ? { metadata } : {};
}

function bytesOfReply(reply: unknown): Buffer {
  return Buffer.isBuffer(reply) ? reply : Buffer.from(JSON.stringify(reply));
}
