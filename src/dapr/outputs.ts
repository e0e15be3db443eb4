/** Sends to the outputs of the function context through the sidecar's HTTP API. */
import { bytesOf } from "../core/bytes";
import { isCloudEvent } from "../core/cloudevent";
import { frameworkError, isFrameworkError, messageOf } from "../core/errors";
import type { Invocation } from "../core/invocation";
import type { FunctionContext, OpenFunctionComponent, SendOptions, SendReply } from "../functions/types";
import { hasListeners, publish } from "../telemetry/channels";
import { type ClientRequest, createHttpClient, type HttpClient } from "./client";
import type { Sidecar } from "./sidecar";

export interface Outputs {
  /** Names of all outputs, in the order of the context. */
  readonly names: readonly string[];
  /** One message to one output. Errors: FF_SIDECAR_REFUSED, FF_SIDECAR_UNREACHABLE, FF_SEND_UNSERIALISABLE. */
  send(output: string, data: unknown, options: SendOptions, invocation: Invocation): Promise<SendReply>;
  close(): Promise<void>;
}

/** The client is opened at the first send. */
export function createOutputs(outputs: FunctionContext["outputs"], sidecar: Sidecar): Outputs {
  const client: HttpClient = createHttpClient(sidecar.origin);

  async function post(output: string, data: unknown, options: SendOptions): Promise<SendReply> {
    const component = outputs[output] as OpenFunctionComponent;
    const request = requestFor(output, component, data, options);
    if (sidecar.token) request.headers = { ...request.headers, "dapr-api-token": sidecar.token };
    const { status, headers, body } = await client.request({
      ...request,
      signal: AbortSignal.timeout(sendTimeout),
    });
    if (status < 200 || status > 299) throw refusal(request.path, status, body);
    return { output, status, data: replyData(body), metadata: replyMetadata(headers) };
  }

  return {
    names: Object.keys(outputs),
    async send(output, data, options, invocation) {
      if (!hasListeners("send")) return post(output, data, options);
      const started = performance.now();
      const news = { function: invocation.function, invocation: invocation.id, output };
      try {
        const reply = await post(output, data, options);
        publish("send", { ...news, ms: performance.now() - started, ok: true, status: reply.status });
        return reply;
      } catch (err) {
        const status = isFrameworkError(err)
          ? (err.cause as { status?: number } | undefined)?.status
          : undefined;
        publish("send", {
          ...news,
          ms: performance.now() - started,
          ok: false,
          ...(status !== undefined && { status }),
        });
        throw err;
      }
    },
    close: () => client.destroy(), // what is under way has had the grace period
  };
}

const sendTimeout = 30_000; // ms, waiting for a connection and reading the reply included

function requestFor(
  output: string,
  component: OpenFunctionComponent,
  data: unknown,
  options: SendOptions,
): ClientRequest {
  const metadata = { ...component.metadata, ...options.metadata };
  return component.componentType.startsWith("bindings.")
    ? bindingRequest(output, component, data, metadata, options)
    : publishRequest(output, component, data, metadata, options);
}

// Dapr: POST /v1.0/bindings/{name} {operation, data, metadata}. Bytes have no JSON form: they go as base64 text.
function bindingRequest(
  output: string,
  { componentName, operation }: OpenFunctionComponent,
  data: unknown,
  metadata: Record<string, string>,
  options: SendOptions,
): ClientRequest {
  assertSendable(output, data); // it would be left out of the object below without a word
  const body = toJson(output, {
    operation: options.operation ?? operation ?? "",
    data: ArrayBuffer.isView(data) ? bytesOf(data).toString("base64") : data,
    ...(Object.keys(metadata).length > 0 && { metadata }),
  });
  return {
    method: "POST",
    path: `/v1.0/bindings/${encodeURIComponent(componentName)}`,
    headers: { "content-type": "application/json" },
    body,
  };
}

// Dapr: POST /v1.0/publish/{pubsub}/{topic}?metadata.name=value; the sidecar wraps what is no CloudEvent into one.
function publishRequest(
  output: string,
  { componentName, uri }: OpenFunctionComponent,
  data: unknown,
  metadata: Record<string, string>,
  { contentType }: SendOptions,
): ClientRequest {
  if (!uri) throw frameworkError("FF_SEND_TOPIC_MISSING", { output }); // FUNC_CONTEXT_V1BETA2 alone tells none
  const query = Object.entries(metadata).map(
    ([name, value]) => `metadata.${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
  );
  // A sidecar normalises paths, so a topic with empty levels goes as one part.
  const hasEmptyLevel = /^\/|\/\/|\/$/.test(uri);
  const topic = hasEmptyLevel ? encodeURIComponent(uri) : uri.split("/").map(encodeURIComponent).join("/");
  const path = `/v1.0/publish/${encodeURIComponent(componentName)}/${topic}${query.length > 0 ? `?${query.join("&")}` : ""}`;
  if (ArrayBuffer.isView(data)) {
    return {
      method: "POST",
      path,
      headers: { "content-type": contentType ?? "application/octet-stream" },
      body: bytesOf(data),
    };
  }
  const type = contentType ?? (isCloudEvent(data) ? "application/cloudevents+json" : "application/json");
  // A text with its own content type is that text; without one it is a JSON string, as upstream sends it.
  const body = typeof data === "string" && contentType !== undefined ? data : toJson(output, data);
  return { method: "POST", path, headers: { "content-type": type }, body };
}

function toJson(output: string, value: unknown): string {
  assertSendable(output, value);
  try {
    return JSON.stringify(value) ?? "";
  } catch (err) {
    throw frameworkError("FF_SEND_UNSERIALISABLE", { output, why: messageOf(err) }, { cause: err });
  }
}

function assertSendable(output: string, data: unknown): void {
  if (typeof data !== "function" && typeof data !== "symbol") return;
  throw frameworkError("FF_SEND_UNSERIALISABLE", { output, why: `it is a ${typeof data}` });
}

function refusal(path: string, status: number, body: Buffer): Error {
  const text = body.toString("utf8");
  const parsed = parseLoosely(text) as { errorCode?: unknown; message?: unknown } | undefined;
  const errorCode = typeof parsed?.errorCode === "string" ? parsed.errorCode : undefined;
  const message = typeof parsed?.message === "string" ? parsed.message : text.slice(0, 500);
  return frameworkError(
    "FF_SIDECAR_REFUSED",
    { path, status, errorCode, text: message },
    { cause: { status, errorCode, message } },
  );
}

function replyData(body: Buffer): unknown {
  return body.length === 0 ? undefined : parseLoosely(body.toString("utf8"));
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // components may answer any text
  }
}

function replyMetadata(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name.startsWith("metadata."));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice("metadata.".length), String(value)]));
}
