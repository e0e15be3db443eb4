/** The types of FUNC_CONTEXT; manifest/function-context reads and checks it. */

/** A binding or topic that the function context declares. */
export interface OpenFunctionComponent {
  /** The real name of the Dapr component. */
  componentName: string;
  /** Such as `bindings.mqtt3` or `pubsub.redis`. */
  componentType: string;
  /** Topic of a pub/sub component. */
  uri?: string;
  /** Operation of an output binding, `create` where the platform says nothing else. */
  operation?: string;
  metadata?: Record<string, string>;
  /** Of a topic input: the events it takes, as an expression in CEL over `event`. Default: all, or what others leave. */
  match?: string;
  /** Of a topic input: where messages go that are dropped, or fail too often for the sidecar. */
  deadLetterTopic?: string;
  /** Of a topic input: the sidecar delivers many messages in one request. */
  bulkSubscribe?: BulkSubscribe;
  /** False: an input that can be read and delivers nothing. */
  subscribed?: boolean;
}

export interface BulkSubscribe {
  enabled: boolean;
  /** Messages in one request, the sidecar's default is 100. */
  maxMessagesCount?: number;
  /** Milliseconds to gather them, the sidecar's default is 1000. */
  maxAwaitDurationMs?: number;
}

/** A state store that the function context declares. */
export interface OpenFunctionState {
  componentName: string;
  /** Such as `state.redis`. */
  componentType: string;
  [field: string]: unknown;
}

/** Tracing as the function context declares it. */
export interface PluginsTracing {
  enabled?: boolean;
  provider?: {
    name?: string;
    oapServer?: string;
    exporter?: Record<string, unknown>;
    [field: string]: unknown;
  };
  tags?: Record<string, string>;
  baggage?: Record<string, string>;
  [field: string]: unknown;
}

/** FUNC_CONTEXT, checked. */
export interface FunctionContext {
  name: string;
  version?: string;
  /** `Async`: fed by Dapr. `Knative`: served over HTTP. */
  runtime: "Async" | "Knative";
  port?: string;
  inputs: Record<string, OpenFunctionComponent>;
  outputs: Record<string, OpenFunctionComponent>;
  states?: Record<string, OpenFunctionState>;
  /** Names of plugins, in order. Absent: all that are loaded; empty: none. */
  prePlugins?: readonly string[];
  postPlugins?: readonly string[];
  pluginsTracing?: PluginsTracing;
  /** Fields we do not know are kept as they are. */
  [field: string]: unknown;
}
