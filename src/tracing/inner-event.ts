/** Wraps a message as OpenFunction's framework for Go does, with the trace inside of it: no broker can lose it there. */
import { randomUUID } from "node:crypto";

import { bytesOf } from "../core/bytes";
import { isCloudEvent } from "../core/cloudevent";
import type { OpenFunctionComponent } from "../core/function-context";
import { innerEventType } from "../core/inner-event";
import type { Message } from "../core/span";
import type { TraceHeaders } from "../core/trace";

// Go wraps for pub/sub and for these alone: what others store would not be what was sent.
const queues = [
  "bindings.kafka",
  "bindings.rabbitmq",
  "bindings.aws.sqs",
  "bindings.aws.kinesis",
  "bindings.gcp.pubsub",
  "bindings.azure.eventgrid",
  "bindings.azure.eventhubs",
  "bindings.azure.servicebusqueues",
  "bindings.azure.storagequeues",
];

/** True for the components whose messages Go wraps. */
export function isWrapped({ componentType }: OpenFunctionComponent): boolean {
  const type = componentType.toLowerCase();
  return type.startsWith("pubsub.") || queues.includes(type);
}

/** `namespace`: POD_NAMESPACE, where there is one. */
export function wrapMessage(
  { data, contentType }: Message,
  metadata: TraceHeaders,
  { name, namespace }: { name: string; namespace: string | undefined },
): Message {
  const bytes = isCloudEvent(data) ? undefined : payloadOf(data, contentType);
  if (bytes === undefined) return { data, contentType }; // an event of the user's, or nothing
  return {
    contentType: "application/json",
    data: {
      specversion: "1.0",
      id: randomUUID(),
      type: `${innerEventType}${namespace ? `${namespace}.` : ""}${name}`,
      source: namespace ? `${namespace}/${name}` : name,
      datacontenttype: "application/json",
      time: new Date().toISOString(),
      data: { metadata, userData: bytes.toString("base64") },
    },
  };
}

// The bytes that would go without a wrapper.
function payloadOf(data: unknown, contentType: string | undefined): Buffer | undefined {
  if (ArrayBuffer.isView(data)) return bytesOf(data);
  if (typeof data === "string" && contentType !== undefined) return Buffer.from(data);
  const text = JSON.stringify(data);
  return text === undefined ? undefined : Buffer.from(text);
}
