/** Where the trace of a caller is found: in headers, in a CloudEvent's attributes, in the wrapper of a Go function. */
import { parseContentType } from "../core/content";
import { innerEventType } from "../core/inner-event";
import type { Invocation } from "../core/invocation";
import { type TraceHeaders, traceHeaders } from "../core/trace";
import type { SpanOrigin } from "../core/tracing";
import { isRecord } from "../core/value";

export interface Incoming {
  /** A field such as `traceparent` or `sw8`. */
  get(name: string): string | undefined;
  /** What the request itself belongs to, when the message it brings is of another trace. */
  carrier?: TraceHeaders | undefined;
}

/**
 * The headers, except where a message is of another trace than the request that brings it: messages keep theirs. Of one
 * trace the headers are nearer, because a sidecar makes spans of its own.
 */
export function incomingTrace(invocation: Invocation, origin: SpanOrigin): Incoming {
  const header = (name: string) => invocation.header(name);
  const own = invocation.callerTrace;
  const event = eventOf(invocation, origin, own !== undefined);
  const inner = metadataOf(event);
  const stated = traceHeaders(
    inner?.traceparent ?? event?.traceparent,
    inner?.tracestate ?? event?.tracestate,
  );
  const isOther = stated !== undefined && traceIdOf(stated) !== traceIdOf(own);
  const w3c = isOther ? stated : own;
  return {
    get: (name) =>
      name === "traceparent" || name === "tracestate"
        ? w3c?.[name]
        : (textOf(inner?.[name]) ?? header(name) ?? textOf(event?.[name])),
    carrier: isOther ? own : undefined,
  };
}

function traceIdOf(headers: TraceHeaders | undefined): string | undefined {
  return headers?.traceparent?.split("-")[1];
}

// A request may carry an event that nobody has read yet. In binary mode its attributes are headers.
function eventOf(
  invocation: Invocation,
  { event, rawBody }: SpanOrigin,
  isTraced: boolean,
): Record<string, unknown> | undefined {
  if (isRecord(event)) return event;
  if (invocation.trigger !== "http" || isTraced) return undefined;
  const attribute = invocation.header("ce-traceparent");
  if (attribute !== undefined)
    return { traceparent: attribute, tracestate: invocation.header("ce-tracestate") };
  const { type } = parseContentType(invocation.header("content-type"));
  return type === "application/cloudevents+json" && rawBody ? parsed(rawBody) : undefined;
}

function parsed(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // the signature says so to the caller
  }
}

// The wrapper is the event itself, or the data of one.
function metadataOf(event: Record<string, unknown> | undefined): Record<string, unknown> | undefined {
  const wrapper = [event, event?.data].find(
    (one) => isRecord(one) && typeof one.type === "string" && one.type.startsWith(innerEventType),
  ) as { data?: unknown } | undefined;
  const data = typeof wrapper?.data === "string" ? parsed(Buffer.from(wrapper.data)) : wrapper?.data;
  return isRecord(data) && isRecord(data.metadata) ? data.metadata : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
