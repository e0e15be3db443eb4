/** Traces calls with OpenTelemetry: a span for each, one inside of it for each hook and each send. */
import type { Attributes, Context, Span, Tracer } from "@opentelemetry/api";

import { isError, messageOf } from "../core/errors";
import { currentInvocation, type Invocation } from "../core/invocation";
import type { InvocationSpan, Message, SendSpan, SpanEnd } from "../core/span";
import type { TraceContext, TraceHeaders } from "../core/trace";
import type { SpanOrigin, Tracing } from "../core/tracing";
import { frameworkVersion } from "../core/version";
import { invocationAttributes, isMessage, isTopicOf, outputAttributes } from "./attributes";
import { type Incoming, incomingTrace } from "./incoming";
import { isWrapped, wrapMessage } from "./inner-event";
import { contextOf, type OpenTelemetryApi, setUpApi, tracerName } from "./otel-sdk";
import { atMost, longestFlush } from "./outage";
import type { TracingSettings } from "./settings";

/** What all spans of the process share. */
interface Shared {
  api: OpenTelemetryApi;
  settings: TracingSettings;
  tracer: Tracer;
  namespace: string | undefined;
}

/** Error: FF_TRACING_PACKAGE_MISSING. */
export function startOpenTelemetry(settings: TracingSettings, env: NodeJS.ProcessEnv): Tracing {
  const api = setUpApi(settings, env);
  const tracer = api.trace.getTracer(tracerName, frameworkVersion());
  const shared = { api, settings, tracer, namespace: env.POD_NAMESPACE || undefined };
  return {
    provider: "opentelemetry",
    begin(invocation, origin) {
      const span = new OtelSpan(shared, invocation, origin);
      invocation.locals.traceId = span.ids.traceId;
      return span;
    },
    flush: () => atMost(flushProvider(api), longestFlush),
  };
}

// Also one of the user's: the process is about to end.
async function flushProvider({ trace }: OpenTelemetryApi): Promise<void> {
  type Flushing = { forceFlush?(): Promise<void>; getDelegate?(): Flushing };
  const provider = trace.getTracerProvider() as Flushing;
  await (provider.getDelegate?.() ?? provider).forceFlush?.();
}

const getter = {
  get: (incoming: Incoming, name: string) => incoming.get(name),
  keys: () => [],
};

class OtelSpan implements InvocationSpan {
  readonly #shared: Shared;
  readonly #span: Span;
  readonly #context: Context;
  #headers: TraceHeaders | undefined;

  constructor(shared: Shared, invocation: Invocation, origin: SpanOrigin) {
    const { api, settings, tracer } = shared;
    const incoming = incomingTrace(invocation, origin);
    const parent = outerSpan(api) ?? api.propagation.extract(api.ROOT_CONTEXT, incoming, getter);
    this.#shared = shared;
    this.#span = tracer.startSpan(
      invocation.function,
      {
        kind: isMessage(invocation) ? api.SpanKind.CONSUMER : api.SpanKind.SERVER,
        attributes: { ...settings.tags, ...invocationAttributes(invocation, origin) },
        links: linksOf(api, incoming),
      },
      parent,
    );
    this.#context = withBaggage(api, settings.baggage, api.trace.setSpan(parent, this.#span));
  }

  get [contextOf](): Context {
    return this.#context;
  }

  get ids(): TraceContext {
    return this.#span.spanContext();
  }

  get headers(): TraceHeaders {
    this.#headers ??= headersOf(this.#shared.api, this.#context);
    return this.#headers;
  }

  run<R>(work: () => R): R {
    return this.#shared.api.context.with(this.#context, work);
  }

  async within<T>(name: string, work: () => T | PromiseLike<T>): Promise<T> {
    const { api, tracer } = this.#shared;
    const parent = this.#active();
    const span = tracer.startSpan(name, {}, parent);
    try {
      return await api.context.with(api.trace.setSpan(parent, span), work);
    } catch (err) {
      recordError(api, span, err);
      throw err;
    } finally {
      span.end();
    }
  }

  send(output: string): SendSpan {
    const { settings } = this.#shared;
    const component = settings.outputs[output];
    return new OtelSendSpan(this.#shared, this.#active(), {
      name: component ? `send ${(isTopicOf(component) && component.uri) || output}` : `send ${output}`,
      isTopic: component !== undefined && isTopicOf(component),
      isWrapped: settings.innerEvents && component !== undefined && isWrapped(component),
      attributes: component ? outputAttributes(output, component) : { "openfunction.output": output },
    });
  }

  end({ outcome, status, error }: SpanEnd): void {
    const { api } = this.#shared;
    const isHttp = outcome === "ok" || outcome === "error";
    this.#span.setAttribute("openfunction.outcome", outcome);
    if (isHttp) this.#span.setAttribute("http.response.status_code", status);
    if (error !== undefined && outcome !== "drop") recordError(api, this.#span, error);
    else if (outcome === "error") failed(api, this.#span, status >= 500 ? String(status) : "aborted");
    this.#span.end();
  }

  // The user's own span where the call is in one: what it sends belongs there.
  #active(): Context {
    const { api } = this.#shared;
    const active = api.context.active();
    return api.trace.getSpan(active) ? active : this.#context;
  }
}

interface SendSettings {
  name: string;
  isTopic: boolean;
  isWrapped: boolean;
  attributes: Attributes;
}

class OtelSendSpan implements SendSpan {
  readonly #shared: Shared;
  readonly #span: Span;
  readonly #isWrapped: boolean;
  readonly headers: TraceHeaders;

  constructor(
    shared: Shared,
    parent: Context,
    { name, isTopic, isWrapped: wraps, attributes }: SendSettings,
  ) {
    const { api, tracer } = shared;
    this.#shared = shared;
    this.#isWrapped = wraps;
    const kind = isTopic ? api.SpanKind.PRODUCER : api.SpanKind.CLIENT;
    this.#span = tracer.startSpan(name, { kind, attributes }, parent);
    this.headers = headersOf(api, api.trace.setSpan(parent, this.#span));
  }

  wrap(message: Message): Message {
    const { settings, namespace } = this.#shared;
    if (!this.#isWrapped) return message;
    return wrapMessage(message, this.headers, { name: settings.service, namespace });
  }

  end(failure?: { reason: unknown }): void {
    if (failure) recordError(this.#shared.api, this.#span, failure.reason);
    this.#span.end();
  }
}

// Instrumentation of the user's may have begun a span for the request already. Where another invocation is current, as
// that of an earlier attempt or of the one before in a queue, the active span is its.
function outerSpan({ context, trace }: OpenTelemetryApi): Context | undefined {
  if (currentInvocation() !== undefined) return undefined;
  const active = context.active();
  return trace.getSpan(active) && active;
}

function headersOf({ propagation }: OpenTelemetryApi, context: Context): TraceHeaders {
  const headers: Record<string, string> = {};
  propagation.inject(context, headers);
  return headers;
}

// The caller's own entries stay.
function withBaggage(
  { propagation }: OpenTelemetryApi,
  entries: Record<string, string>,
  context: Context,
): Context {
  let baggage = propagation.getBaggage(context) ?? propagation.createBaggage();
  for (const [name, value] of Object.entries(entries))
    if (!baggage.getEntry(name)) baggage = baggage.setEntry(name, { value });
  return baggage.getAllEntries().length > 0 ? propagation.setBaggage(context, baggage) : context;
}

// The request of a sidecar is of another trace than the message it brings.
function linksOf(api: OpenTelemetryApi, { carrier }: Incoming) {
  if (carrier === undefined) return [];
  const context = api.propagation.extract(api.ROOT_CONTEXT, carrier);
  const spanContext = api.trace.getSpanContext(context);
  return spanContext ? [{ context: spanContext }] : [];
}

function recordError(api: OpenTelemetryApi, span: Span, thrown: unknown): void {
  const message = messageOf(thrown);
  const { code, name, stack } = isError(thrown) ? (thrown as NodeJS.ErrnoException) : {};
  span.recordException({ name: name ?? typeof thrown, message, ...(stack !== undefined && { stack }) });
  failed(api, span, String(code ?? name ?? typeof thrown), message);
}

function failed({ SpanStatusCode }: OpenTelemetryApi, span: Span, type: string, message?: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
}
