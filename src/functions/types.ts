/** The public types: what a function looks like in each signature, and what it is given. */
import type { DaprClient } from "@dapr/dapr";
import type { CloudEventV1 } from "cloudevents";
import type * as express from "express";

import type { FunctionContext } from "../core/function-context";
import type { Logger } from "../core/log";

export type { FunctionContext, OpenFunctionComponent } from "../core/function-context";

/** Express's request, plus the bytes of the body. */
export interface Request extends express.Request {
  /** The body as it arrived (inflated); undefined when there is none. */
  rawBody?: Buffer;
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

/** `(ctx, data)`: fed by Dapr bindings and topics (runtime Async), or by HTTP POST (runtime Knative). */
// biome-ignore lint/suspicious/noExplicitAny: the user knows what their input carries
export type OpenFunction = (ctx: OpenFunctionContext, data: any) => unknown;

/** The calling conventions. */
export type SignatureType = "http" | "cloudevent" | "openfunction";

export type UserFunction = (...args: never[]) => unknown;

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
  /** Added to the metadata of the output; the same name here wins. */
  metadata?: Record<string, string>;
  /** Operation of an output binding, in place of the declared one. */
  operation?: string;
  /** Content type of a published message. Default: JSON; bytes are `application/octet-stream`. */
  contentType?: string;
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
  /** Free for user code; empty at the start of every invocation. */
  readonly locals: Record<string, unknown>;
  /**
   * Sends to one output, or to all of them without a name.
   *
   * @returns the settled results, one an output; an empty list when the function has no outputs.
   * @throws SendError FF_SEND_FAILED with all results when an output failed; FF_SEND_UNKNOWN_OUTPUT for an unknown name.
   *   A send that is not awaited is awaited before the outcome is decided, and its failure fails the invocation.
   */
  send(data: unknown, output?: string, options?: SendOptions): Promise<SendResult[]>;
  /** A ready client of the Dapr SDK for everything else, one a process; loaded at the first call. */
  dapr(): Promise<DaprClient>;
}
