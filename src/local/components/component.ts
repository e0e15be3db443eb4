/** The contract of a component of the local runtime. */
import type { FrameworkError, Place } from "../../core/errors";
import type { ClientReply } from "../../dapr/client";
import type { TopicStatus } from "../../dapr/protocol";

/** A Dapr component as a manifest declares it. */
export interface ComponentSpec {
  name: string;
  /** As written, such as `bindings.mqtt3`. */
  type: string;
  version: string;
  /** Values as texts; templates such as `{uuid}` are not filled in yet. */
  metadata: Record<string, string>;
  place?: Place | undefined;
}

export interface Message {
  topic: string;
  payload: Buffer;
  /** What the component says about the message; becomes headers of the delivery. */
  metadata: Record<string, string>;
  /** For a component that looks at what the app answers: called at every attempt that is answered. */
  onReply?: (reply: AppReply) => void;
}

/** What the app says of a message. */
export interface AppReply {
  word: TopicStatus;
  /** Undefined for a message of a bulk. */
  http?: ClientReply;
}

/** Resolves when the message is done: only then it is acknowledged to the broker. A rejection leaves it unacknowledged. */
export type MessageHandler = (message: Message) => Promise<void>;

export interface OutputRequest {
  operation: string;
  data: Buffer;
  metadata: Record<string, string>;
}

interface Component {
  readonly name: string;
  readonly type: string;
  readonly version: string;
  /** The address without its password, or null for a component that connects to nothing. */
  readonly address: string | null;
  readonly capabilities: readonly string[];
  stop(): Promise<void>;
}

export interface BindingComponent extends Component {
  readonly kind: "binding";
  /** Starts reading; absent for an output-only binding. */
  read?(handler: MessageHandler): Promise<void>;
  /** Absent for an input-only binding. Data is returned by components that answer. */
  invoke?(request: OutputRequest): Promise<{ data?: Buffer; metadata?: Record<string, string> }>;
  readonly operations: readonly string[];
}

export interface PubSubComponent extends Component {
  readonly kind: "pubsub";
  publish(topic: string, payload: Buffer, metadata: Record<string, string>): Promise<void>;
  subscribe(topic: string, handler: MessageHandler, metadata: Record<string, string>): Promise<void>;
}

export interface StateItem {
  /** JSON text. */
  value: string;
  etag: string;
  /** Milliseconds since 1970. */
  expires?: number | undefined;
}

export interface StateWrite {
  key: string;
  /** JSON text; undefined deletes. */
  value: string | undefined;
  etag: string | undefined;
  /** True: without an etag the key must not exist. */
  firstWrite: boolean;
  /** Seconds until it is gone; 0 = never, undefined = what the component says. */
  ttl: number | undefined;
}

export interface StateComponent extends Component {
  readonly kind: "state";
  /** What stands before every key in the store. */
  readonly keyPrefix: string;
  get(key: string): Promise<StateItem | undefined>;
  /** All or none. Errors: EtagMismatchError, EtagInvalidError. */
  write(writes: readonly StateWrite[]): Promise<void>;
}

/** The state is not what the write expected. */
export class EtagMismatchError extends Error {}

/** The store cannot have made this etag. */
export class EtagInvalidError extends Error {}

export interface SecretStoreComponent extends Component {
  readonly kind: "secretstore";
  /** The pairs under a name, mostly one. Error: when there is none. */
  get(name: string): Record<string, string>;
  all(): Record<string, Record<string, string>>;
}

export type LocalComponent = BindingComponent | PubSubComponent | StateComponent | SecretStoreComponent;

export interface ComponentEnvironment {
  appId: string;
  /** Address of the embedded broker; absent when the declared ones are used. */
  embeddedBroker?: string | undefined;
  /** Told of trouble with a broker, and of its end. */
  onNotice(notice: FrameworkError | { recovered: string }): void;
}

/**
 * One row of components/table: the type names and how a component of that type is opened. `open` checks the
 * metadata (FF_COMPONENT_METADATA) and must not wait for a broker: one that is away is connected to later.
 *
 *     export const logged: ComponentType = {
 *       names: ["bindings.log"],
 *       usesBroker: false,
 *       open: (spec) => ({ kind: "binding", ...spec, address: null, capabilities: [], operations: ["create"],
 *         invoke: async ({ data }) => { console.error(data.toString()); return {}; }, stop: async () => {} }),
 *     };
 */
export interface ComponentType {
  names: readonly string[];
  usesBroker: boolean;
  open(spec: ComponentSpec, environment: ComponentEnvironment): LocalComponent;
}
