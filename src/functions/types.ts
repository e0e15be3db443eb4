/** The public types: what a function looks like in each signature, and what it is given. */
import type { DaprClient } from "@dapr/dapr";
import type { CloudEventV1 } from "cloudevents";
import type * as express from "express";

import type { FunctionContext } from "../core/function-context";
import type { Logger } from "../core/log";
import type { TraceContext } from "../core/trace";
import type { Secrets, State } from "./state-types";

export type {
  BulkSubscribe,
  FunctionContext,
  OpenFunctionComponent,
  OpenFunctionState,
  PluginsTracing,
} from "../core/function-context";
export type * from "./state-types";

/** Express's request, plus what belongs to the invocation. */
export interface Request extends express.Request {
  /** The body as it arrived (inflated); undefined when there is none. */
  rawBody?: Buffer;
  /** The caller's `function-execution-id`, else one of our own. */
  executionId?: string;
  /** The caller's span by `X-Cloud-Trace-Context`. */
  spanId?: string;
  /** Its signal is aborted when the caller is gone, the deadline is over, or the process must end. */
  abortController?: AbortController;
  /** The same signal. */
  signal: AbortSignal;
  /** Writes lines that carry the ids of the invocation and its trace. */
  log: Logger;
}

export type Response = express.Response;

/** A CloudEvent as a plain object; extensions are plain members. */
export type CloudEvent<T = unknown> = CloudEventV1<T>;

/** `(req, res)`: Express style. With a third parameter it is mounted as an application and given `next`. */
export type HttpFunction = (req: Request, res: Response, next?: express.NextFunction) => unknown;

/** `(event)`: the returned value is the reply, `undefined` is 204. */
export type CloudEventFunction<T = unknown> = (event: CloudEvent<T>) => unknown;

/** `(event, callback)`: chosen when the function declares two parameters. */
export type CloudEventFunctionWithCallback<T = unknown> = (
  event: CloudEvent<T>,
  callback: Callback,
) => unknown;

export type Callback = (error?: unknown, result?: unknown) => void;

/** `(data, context)`: Google's legacy events; the reply is the same as for CloudEvents. */
// biome-ignore lint/suspicious/noExplicitAny: the user knows what their event carries
export type EventFunction = (data: any, context: Context) => unknown;

/** `(data, context, callback)`: chosen when the function declares three parameters. */
export type EventFunctionWithCallback = (
  // biome-ignore lint/suspicious/noExplicitAny: the user knows what their event carries
  data: any,
  context: Context,
  callback: Callback,
) => unknown;

/** Beside the data of a legacy event; of a CloudEvent that has no legacy form, its attributes. */
export type Context = CloudFunctionsContext | CloudEvent;

export interface CloudFunctionsContext {
  eventId?: string;
  /** RFC 3339. */
  timestamp?: string;
  eventType?: string;
  /** What the event is about; its name is null when a Pub/Sub push does not tell the topic. */
  resource?: string | Record<string, string | null>;
}

/** A legacy event as it is sent. */
export interface LegacyEvent {
  // biome-ignore lint/suspicious/noExplicitAny: the user knows what their event carries
  data: Record<string, any>;
  context: CloudFunctionsContext;
}

export interface Data {
  data: object;
}

export type LegacyCloudFunctionsContext = CloudFunctionsContext | Data;

/** `(ctx, data)`: fed by Dapr bindings and topics (runtime Async), or by HTTP POST (runtime Knative). */
// biome-ignore lint/suspicious/noExplicitAny: the user knows what their input carries
export type OpenFunction = (ctx: OpenFunctionContext, data: any) => unknown;

/** `(request)`: gets the body of a POST, and what it returns is the answer. */
export type TypedFunction<I = unknown, O = unknown> = (request: I) => O | Promise<O>;

/** A typed function with a format of its own. */
export interface TypedHandler<I = unknown, O = unknown> {
  handler: TypedFunction<I, O>;
  /** Default: JSON. */
  format?: TypedFormat<I, O>;
}

/** How a typed function's request is read and its response written. A throw of `deserializeRequest` is 400. */
export interface TypedFormat<I = unknown, O = unknown> {
  deserializeRequest(request: InvocationRequest): I | Promise<I>;
  serializeResponse(writer: InvocationResponse, response: O): void | Promise<void>;
}

export interface InvocationRequest {
  /** The body as text, if there is one. */
  body(): string | undefined;
  header(name: string): string | undefined;
}

export interface InvocationResponse {
  setHeader(name: string, value: string): void;
  write(chunk: string | Buffer): void;
  end(chunk?: string | Buffer): void;
}

/** OpenFunction's name for what its functions are given. */
export type OpenFunctionRuntime = OpenFunctionContext;

/** Any function that can be served. */
export type HandlerFunction<T = unknown> =
  | HttpFunction
  | CloudEventFunction<T>
  | CloudEventFunctionWithCallback<T>
  | EventFunction
  | EventFunctionWithCallback
  | OpenFunction;

/** The calling conventions. */
export type SignatureType = "http" | "cloudevent" | "event" | "typed" | "openfunction";

export type UserFunction = (...args: never[]) => unknown;

/** What a registration may say beside name and function. */
export interface FunctionOptions {
  /**
   * The path it answers, in Express 5's syntax: `/users/:id`, `/files/*path`. Default: every path when it is the only
   * function, else `/NAME` and all below.
   */
  path?: string;
  /** The methods it answers; HEAD comes with GET. Default: all. http functions only. */
  methods?: string[];
}

/**
 * Runs around the function: `next()` calls the next hook, at last the function, and resolves to what it returned.
 * Without `next()` the function is not called, and what the hook returns is the result. After `next()` a returned
 * value replaces the function's, `undefined` leaves it. A throw fails the invocation as one of the function would.
 *
 *     functions.use(async (invocation, next) => {
 *       const started = performance.now();
 *       await next();
 *       invocation.log.info(`took ${performance.now() - started} ms`);
 *     });
 */
export type Hook = (invocation: HookInvocation, next: () => Promise<unknown>) => unknown;

/** What a hook sees of an invocation. */
export interface HookInvocation {
  /** In log lines too. */
  readonly id: string;
  /** Name of the function. */
  readonly function: string;
  readonly signature: string;
  /** `http`, `binding:NAME` or `topic:PUBSUB/TOPIC`. */
  readonly trigger: string;
  /** What the function is called with; entries may be changed before `next()`. */
  readonly args: unknown[];
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** State of this invocation, empty at its start; `ctx.locals` is the same object. */
  readonly locals: Record<string, unknown>;
  /** Where the call stands in a trace: its own span while tracing is on, else its caller's, when headers say so. */
  readonly trace: TraceContext | undefined;
  /** Undefined for deliveries. */
  readonly req: Request | undefined;
  readonly res: Response | undefined;
  /** The CloudEvent, for functions and deliveries that come with one. */
  readonly event: CloudEvent | undefined;
  /** For `(ctx, data)` functions. */
  readonly ctx: OpenFunctionContext | undefined;
}

/** One output's result of {@link OpenFunctionContext.send}. */
export type SendResult = PromiseSettledResult<SendReply>;

export interface SendReply {
  output: string;
  /** Status of the sidecar's answer. */
  status: number;
  /** What an output binding returned: JSON parsed, else text; undefined when there is nothing. */
  data?: unknown;
  /** Response metadata of a binding. */
  metadata: Record<string, string>;
}

export interface SendOptions {
  /** Added to the metadata of the output; the same name here wins. Numbers and booleans go as texts. */
  metadata?: Record<string, string | number | boolean>;
  /** Operation of an output binding, in place of the declared one. */
  operation?: string;
  /** Content type of a published message. Default: JSON; bytes are `application/octet-stream`. */
  contentType?: string;
  /** Milliseconds until the send counts as failed, waiting for the sidecar included. Default 30,000. */
  timeoutMs?: number;
}

/** The input an invocation came from. */
export interface InvocationInput {
  /** Its key in the function context. */
  name: string;
  componentName: string;
  componentType: string;
  topic?: string;
  /** What the component says about the message; names in lower case. */
  metadata: Record<string, string>;
}

/**
 * What a `(ctx, data)` function gets beside its data: made anew for every invocation, never shared.
 * The fields of the function context (`name`, `runtime`, `inputs`, `outputs`, …) are members too.
 */
export interface OpenFunctionContext extends FunctionContext {
  /** Id of the invocation. */
  readonly id: string;
  /** Undefined under runtime Knative. */
  readonly input: InvocationInput | undefined;
  /** The CloudEvent the data came in, if it came in one. */
  readonly event: CloudEvent | undefined;
  /** Runtime Knative only. */
  readonly req: Request | undefined;
  readonly res: Response | undefined;
  /** The bytes of the body. */
  readonly rawBody: Buffer | undefined;
  /** Aborted when the caller is gone or the process must end. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Free for user code and hooks; empty at the start of every invocation. */
  readonly locals: Record<string, unknown>;
  /** What the function threw. Plugins that run after it may clear it, which makes the invocation good, or replace it. */
  error: unknown;
  /** A plugin of the folder `plugins/`, by its name. */
  getPlugin(name: string): PluginInstance | undefined;
  /**
   * Sends to one output, or to all of them without a name.
   *
   * @returns the settled results, one an output; an empty list when the function has no outputs.
   * @throws SendError FF_SEND_FAILED with all results when an output failed; FF_SEND_UNKNOWN_OUTPUT for an unknown name.
   *   A send that is not awaited is awaited before the outcome is decided, and its failure fails the invocation.
   */
  send(data: unknown, output?: string, options?: SendOptions): Promise<SendResult[]>;
  /** The state stores that the function context declares. */
  readonly state: State;
  readonly secrets: Secrets;
  /** Ports of the sidecar, as texts. */
  readonly sidecarPort: { readonly HTTP: string; readonly GRPC: string };
  /** A ready client of the Dapr SDK for everything else, one a process; loaded at the first call. */
  dapr(): Promise<DaprClient>;
}

/** An instance of a class of the folder `plugins/`. */
export interface PluginInstance {
  readonly name: string;
  readonly version: string;
  /** A member of the plugin, by a path with dots. */
  get(path: string): unknown;
  /** Runs before the function; a failure is logged, and the function is called all the same. */
  execPreHook?(ctx: OpenFunctionContext, plugins: Plugins): unknown;
  /** Runs after the function, also after a failed one: `ctx.error` says so. */
  execPostHook?(ctx: OpenFunctionContext, plugins: Plugins): unknown;
}

/** All plugins of the process, by name, in the order in which they were loaded. */
export type Plugins = Readonly<Record<string, PluginInstance>>;
