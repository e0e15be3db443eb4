/** `POST /v1/invoke`: calls a function once, as HTTP or as one of its inputs, and tells what came of it. */
import { randomUUID } from "node:crypto";

import { frameworkError } from "../core/errors";
import { type InvokeReply, post } from "./invoke-http";
import { type Told, watchDeliveries, watchInvocation } from "./invoke-news";
import { type InvokeRequest, readInvokeRequest } from "./invoke-request";
import { inputOf, topicOf } from "./invoke-target";
import type { FunctionPlan } from "./plan";

export interface InvokeOptions {
  functions: readonly FunctionPlan[];
  /** The address in front, once it listens. */
  frontUrl(): string | undefined;
  /** Where the sidecar of a function listens. */
  sidecarUrl(name: string): string | undefined;
  /** APP_API_TOKEN: what inputs of functions ask for. */
  appToken: string | undefined;
  /** DAPR_API_TOKEN: what the sidecars ask for. */
  apiToken: string | undefined;
}

export interface InvokeResult extends Told {
  /** Of the function; for a topic, of the sidecar. */
  reply: InvokeReply;
  ms: number;
}

export type Invoke = (body: unknown, signal: AbortSignal) => Promise<InvokeResult>;

/** Errors: FF_CONTROL_FIELD, FF_CONTROL_FUNCTION_UNKNOWN, FF_CONTROL_INPUT_UNKNOWN, FF_INVOKE_FAILED. */
export function createInvoke({ functions, frontUrl, sidecarUrl, appToken, apiToken }: InvokeOptions): Invoke {
  async function callFunction(
    request: InvokeRequest,
    signal: AbortSignal,
  ): Promise<Omit<InvokeResult, "ms">> {
    const { plan, path } = inputOf(functions, request);
    const id = randomUUID();
    const headers = {
      ...request.headers,
      "function-execution-id": id,
      ...(plan.isAsync && appToken !== undefined && { "dapr-api-token": appToken }),
    };
    const news = watchInvocation(id);
    try {
      const url = `${frontUrl() ?? starting()}/${plan.name}${path}`;
      const reply = await post(url, { headers, body: request.body, signal });
      return { reply, ...(await news.result(signal, { isAsync: plan.isAsync, status: reply.status })) };
    } finally {
      news.stop();
    }
  }

  async function publish(request: InvokeRequest, topic: string, signal: AbortSignal) {
    const { plan, pubsub, subscribers } = topicOf(functions, topic, request);
    const sidecar = sidecarUrl(plan.name) ?? starting();
    const id = eventId(request) ?? randomUUID();
    const news = watchDeliveries({ id, pubsub, subscribers });
    try {
      const path = [pubsub, ...topic.split("/")].map(encodeURIComponent).join("/");
      const url = `${sidecar}/v1.0/publish/${path}?metadata.cloudevent.id=${encodeURIComponent(id)}`;
      const headers = { ...request.headers, ...(apiToken !== undefined && { "dapr-api-token": apiToken }) };
      const reply = await post(url, { headers, body: request.body, signal });
      const isPublished = reply.status >= 200 && reply.status <= 299;
      return { reply, ...(isPublished ? await news.result(signal) : { outcome: null, sends: [] }) };
    } finally {
      news.stop();
    }
  }

  return async (body, signal) => {
    const request = readInvokeRequest(body);
    const began = performance.now();
    const result =
      request.topic === undefined
        ? await callFunction(request, signal)
        : await publish(request, request.topic, signal);
    return { ...result, ms: performance.now() - began };
  };
}

function starting(): never {
  throw frameworkError("FF_INVOKE_FAILED", { why: "nothing is started yet" });
}

/** Of data that is a whole CloudEvent. */
function eventId({ headers, body }: InvokeRequest): string | undefined {
  if (!headers["content-type"]?.startsWith("application/cloudevents+json")) return undefined;
  try {
    const { id } = JSON.parse(body.toString("utf8"));
    return typeof id === "string" ? id : undefined;
  } catch {
    return undefined; // the sidecar refuses it
  }
}
