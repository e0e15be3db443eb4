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
  /** Fields we do not know are kept as they are. */
  [field: string]: unknown;
}
