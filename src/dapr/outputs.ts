/** Sends to the outputs of the function context through the sidecar's HTTP API. */
import { isCloudEvent } from "../core/cloudevent";
import { frameworkError, isFrameworkError } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { nearest } from "../core/suggest";
import { describe, isRecord } from "../core/value";
import type { FunctionContext, OpenFunctionComponent, SendOptions, SendResult } from "../functions/types";
import { hasListeners, publish } from "../telemetry/channels";
import { readJsonOrText, replyMetadata } from "./reply";
import type { SidecarCaller, SidecarClient, SidecarRefusal, SidecarRequest } from "./sidecar-client";
import { asBytes, isDuration, metadataQuery, textsOf, toBase64, toJson, UnserialisableError } from "./wire";

/** Sends a message that was taken down; once. `done` is called later, whatever comes of it. */
export type PreparedSend = (
  invocation: Invocation,
  caller: SidecarCaller,
  done: (result: SendResult) => void,
) => void;

export interface Outputs {
  /** Names of all outputs, in the order of the context. */
  readonly names: readonly string[];
  /**
   * Takes a message down as it is now: what becomes of an object afterwards does not matter, bytes are not copied.
   * Errors: FF_SEND_UNSERIALISABLE, FF_SEND_OPTION. Those of the send: see SidecarClient.
   */
  prepare(output: string, data: unknown, options: SendOptions): PreparedSend;
}

export function createOutputs(outputs: FunctionContext["outputs"], sidecar: SidecarClient): Outputs {
  const writers = new Map(
    Object.entries(outputs).map(([name, component]) => [name, writerOf(name, component)]),
  );

  return {
    names: [...writers.keys()],
    prepare(output, data, options) {
      const write = writers.get(output) as Writer;
      const request = take(output, write, data, options);
      return (invocation, caller, done) => {
        const told = hasListeners("send") ? telling(invocation, output, done) : done;
        sidecar.dispatch(
          request,
          caller,
          ({ status, headers, body }) => {
            const value = { output, status, data: readJsonOrText(body), metadata: replyMetadata(headers) };
            told({ status: "fulfilled", value });
          },
          (reason) => told({ status: "rejected", reason }),
        );
      };
    },
  };
}

// The news of a send.
function telling(invocation: Invocation, output: string, done: (result: SendResult) => void) {
  const started = performance.now();
  return (result: SendResult) => {
    const ok = result.status === "fulfilled";
    const status = ok ? result.value.status : refusedStatus(result.reason);
    publish("send", {
      function: invocation.function,
      invocation: invocation.id,
      output,
      ms: performance.now() - started,
      ok,
      ...(status !== undefined && { status }),
    });
    done(result);
  };
}

function refusedStatus(reason: unknown): number | undefined {
  return isFrameworkError(reason) ? (reason.cause as Partial<SidecarRefusal> | undefined)?.status : undefined;
}

function take(output: string, write: Writer, data: unknown, options: SendOptions): SidecarRequest {
  assertOptions(options);
  try {
    const request = write(data, options);
    return options.timeoutMs === undefined ? request : { ...request, timeoutMs: options.timeoutMs };
  } catch (err) {
    if (!(err instanceof UnserialisableError)) throw err;
    throw frameworkError("FF_SEND_UNSERIALISABLE", { output, why: err.message }, { cause: err });
  }
}

const optionNames = ["metadata", "operation", "contentType", "timeoutMs"];

function assertOptions(options: SendOptions): void {
  if (!isRecord(options)) throw wrongOption("options", `must be an object of them, not ${describe(options)}`);
  for (const option in options) {
    if (optionNames.includes(option)) continue;
    const near = nearest(option, optionNames);
    const choice = near === undefined ? `there are ${optionNames.join(", ")}` : `did you mean "${near}"`;
    throw wrongOption(option, `is unknown: ${choice}`);
  }
  const { contentType, timeoutMs, operation, metadata } = options;
  if (contentType !== undefined && !(typeof contentType === "string" && /^[\x20-\x7e]+$/.test(contentType)))
    throw wrongOption("contentType", "must be a media type");
  if (metadata !== undefined && !isRecord(metadata))
    throw wrongOption("metadata", "must be an object of texts");
  if (operation !== undefined && typeof operation !== "string")
    throw wrongOption("operation", "must be a text");
  if (timeoutMs !== undefined && !isDuration(timeoutMs))
    throw wrongOption("timeoutMs", "must be milliseconds, more than 0");
}

function wrongOption(option: string, why: string): Error {
  return frameworkError("FF_SEND_OPTION", { option, why });
}

/** From data to the request of one output. */
type Writer = (data: unknown, options: SendOptions) => SidecarRequest;

function writerOf(output: string, component: OpenFunctionComponent): Writer {
  if (component.componentType.startsWith("bindings.")) return bindingWriter(component);
  const { uri } = component;
  if (uri) return topicWriter(component, uri);
  return () => {
    throw frameworkError("FF_SEND_TOPIC_MISSING", { output }); // FUNC_CONTEXT_V1BETA2 alone tells none
  };
}

// Dapr: POST /v1.0/bindings/{name} {operation, data, metadata}. Bytes have no JSON form: they go as base64 text.
function bindingWriter({
  componentName,
  operation: stated = "",
  metadata: own = {},
}: OpenFunctionComponent): Writer {
  const path = `/v1.0/bindings/${encodeURIComponent(componentName)}`;
  const headers = { "content-type": "application/json" };
  const ownEnd = endOf(own);

  return (data, { operation = stated, metadata }) => {
    const end = metadata ? endOf({ ...own, ...optionTexts(metadata) }) : ownEnd;
    const bytes = asBytes(data);
    const json = bytes ? `"${toBase64(bytes)}"` : toJson(data);
    const middle = json === "" ? "" : `,"data":${json}`;
    return {
      method: "POST",
      path,
      headers,
      body: `{"operation":${JSON.stringify(operation)}${middle}${end}`,
    };
  };
}

function endOf(metadata: Record<string, string>): string {
  return Object.keys(metadata).length === 0 ? "}" : `,"metadata":${JSON.stringify(metadata)}}`;
}

// Dapr: POST /v1.0/publish/{pubsub}/{topic}?metadata.name=value; the sidecar wraps what is no CloudEvent into one.
function topicWriter({ componentName, metadata: own = {} }: OpenFunctionComponent, uri: string): Writer {
  // A sidecar normalises paths, so a topic with empty levels goes as one part.
  const hasEmptyLevel = /^\/|\/\/|\/$/.test(uri);
  const topic = hasEmptyLevel ? encodeURIComponent(uri) : uri.split("/").map(encodeURIComponent).join("/");
  const base = `/v1.0/publish/${encodeURIComponent(componentName)}/${topic}`;
  const ownPath = pathOf(base, own);

  return (data, { contentType, metadata }) => {
    const path = metadata ? pathOf(base, { ...own, ...optionTexts(metadata) }) : ownPath;
    const bytes = asBytes(data);
    const type = contentType ?? (bytes ? "application/octet-stream" : typeOf(data));
    return {
      method: "POST",
      path,
      headers: { "content-type": type },
      body: bytes ?? textOf(data, contentType),
    };
  };
}

function pathOf(base: string, metadata: Record<string, string>): string {
  const query = metadataQuery(metadata);
  return query === "" ? base : `${base}?${query}`;
}

function typeOf(data: unknown): string {
  return isCloudEvent(data) ? "application/cloudevents+json" : "application/json";
}

// A text with its own content type is that text; without one it is a JSON string, as upstream sends it.
function textOf(data: unknown, contentType: string | undefined): string {
  if (typeof data === "string" && contentType !== undefined) return data;
  if (contentType === undefined && isCloudEvent(data)) return toJson(withBase64(data));
  return toJson(data);
}

// CloudEvents JSON format §3.1: bytes are data_base64.
function withBase64(event: Record<string, unknown>): Record<string, unknown> {
  const bytes = typeof event.toJSON === "function" ? undefined : asBytes(event.data);
  if (!bytes) return event;
  const { data: _, ...attributes } = event;
  return { ...attributes, data_base64: toBase64(bytes) };
}

function optionTexts(metadata: NonNullable<SendOptions["metadata"]>): Record<string, string> {
  return textsOf(metadata, (name, why) => wrongOption(`metadata.${name}`, why));
}
