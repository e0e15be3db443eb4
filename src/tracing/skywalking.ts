/**
 * Traces calls with SkyWalking: a segment for each, with its entry, its hooks and its sends. The protocol is spoken here,
 * because SkyWalking's agent patches modules of the whole process and keeps one context for it.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";

import { isError, messageOf } from "../core/errors";
import type { Invocation } from "../core/invocation";
import type { InvocationSpan, Message, SendSpan, SpanEnd } from "../core/span";
import type { TraceContext, TraceHeaders } from "../core/trace";
import type { SpanOrigin, Tracing } from "../core/tracing";
import { pathOf } from "../core/url";
import { isTopicOf } from "./attributes";
import { incomingTrace } from "./incoming";
import { isWrapped, wrapMessage } from "./inner-event";
import type { Segment, SegmentSpan, Tag } from "./segment";
import type { TracingSettings } from "./settings";
import { createReporter, type Reporter } from "./skywalking-report";
import { formatCorrelation, formatSw8, parseSw8, type Sw8 } from "./sw8";

/** What all segments of the process share. */
interface Shared {
  settings: TracingSettings;
  service: string;
  instance: string;
  namespace: string | undefined;
  reporter: Reporter;
}

/** What the context lacks the variables of SkyWalking's agents say. */
export function startSkyWalking(settings: TracingSettings, env: NodeJS.ProcessEnv): Tracing {
  const backends = settings.oapServer || env.SW_AGENT_COLLECTOR_BACKEND_SERVICES || "127.0.0.1:11800";
  const reporter = createReporter({
    address: (backends.split(",")[0] as string).trim(),
    isSecure: env.SW_AGENT_SECURE?.toLowerCase() === "true",
    authentication: env.SW_AGENT_AUTHENTICATION || undefined,
    capacity: positive(env.SW_AGENT_MAX_BUFFER_SIZE) ?? 1_000,
    timeout: positive(env.SW_AGENT_TRACE_TIMEOUT) ?? 10_000,
  });
  const shared: Shared = {
    settings,
    service: settings.hasOwnName ? settings.service : env.SW_AGENT_NAME || settings.service,
    instance: env.SW_AGENT_INSTANCE || env.POD_NAME || hostname(),
    namespace: env.POD_NAMESPACE || env.SW_AGENT_NAMESPACE || undefined,
    reporter,
  };
  return {
    provider: "skywalking",
    begin(invocation, origin) {
      const span = new SkyWalkingSpan(shared, invocation, origin);
      invocation.locals.traceId = span.ids.traceId;
      return span;
    },
    flush: reporter.flush,
  };
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

const component = 5013; // what upstream's plugin reports
const mostSpans = 300; // of one segment, as SkyWalking's other agents have it

class SkyWalkingSpan implements InvocationSpan {
  readonly ids: TraceContext;
  readonly headers: TraceHeaders;
  readonly #shared: Shared;
  readonly #isSampled: boolean;
  readonly #segment: Segment;
  readonly #entry: SegmentSpan;
  readonly #passedOn: TraceHeaders | undefined;
  readonly #correlation: string | undefined;

  constructor(shared: Shared, invocation: Invocation, origin: SpanOrigin) {
    const { settings, service, instance } = shared;
    const incoming = incomingTrace(invocation, origin);
    const stated = incoming.get("sw8");
    const caller = stated === undefined ? undefined : parseSw8(stated);
    this.#shared = shared;
    this.#isSampled = caller?.isSampled ?? true;
    this.#segment = {
      traceId: caller?.traceId ?? newId(),
      traceSegmentId: newId(),
      service,
      serviceInstance: instance,
      spans: [],
    };
    this.#entry = this.#open({
      operationName: invocation.function,
      spanType: "Entry",
      spanLayer: "FAAS",
      parentSpanId: -1,
      refs: caller ? [referenceTo(caller)] : [],
      tags: tagsOf({
        func: settings.service,
        instance,
        ...(shared.namespace !== undefined && { namespace: shared.namespace }),
        runtime: settings.runtime,
        ...requestTags(invocation),
        ...(origin.input && { "component.type": origin.input.componentType }),
        ...settings.tags,
      }),
    });
    this.#passedOn = invocation.callerTrace;
    this.#correlation = formatCorrelation(incoming.get("sw8-correlation"), settings.baggage);
    this.ids = { traceId: this.#segment.traceId, spanId: `${this.#segment.traceSegmentId}-0` };
    this.headers = this.#headersFrom(this.#entry, service);
  }

  run<R>(work: () => R): R {
    return work();
  }

  async within<T>(name: string, work: () => T | PromiseLike<T>): Promise<T> {
    const span = this.#open({ operationName: name, spanType: "Local", parentSpanId: 0 });
    try {
      return await work();
    } catch (err) {
      fail(span, err);
      throw err;
    } finally {
      span.endTime = Date.now();
    }
  }

  send(output: string): SendSpan {
    const { settings, service, namespace } = this.#shared;
    const target = settings.outputs[output];
    const peer = (target && isTopicOf(target) && target.uri) || (target?.componentName ?? output);
    const span = this.#open({
      operationName: output,
      spanType: "Exit",
      spanLayer: target && isTopicOf(target) ? "MQ" : "FAAS",
      parentSpanId: 0,
      peer,
      tags: tagsOf({ ...(target && { "component.type": target.componentType }) }),
    });
    const headers = this.#headersFrom(span, peer);
    return {
      headers,
      wrap: (message: Message) =>
        settings.innerEvents && target && isWrapped(target)
          ? wrapMessage(message, headers, { name: service, namespace })
          : message,
      end(failure) {
        if (failure) fail(span, failure.reason);
        span.endTime = Date.now();
      },
    };
  }

  end({ outcome, status, error }: SpanEnd): void {
    const now = Date.now();
    const isHttp = outcome === "ok" || outcome === "error";
    this.#entry.tags.push(
      isHttp ? { key: "http.status_code", value: String(status) } : { key: "outcome", value: outcome },
    );
    if (error !== undefined && outcome !== "drop") fail(this.#entry, error);
    if (outcome === "error" || outcome === "retry") this.#entry.isError = true;
    for (const span of this.#segment.spans) span.endTime ||= now;
    this.#entry.endTime = now;
    if (this.#isSampled) this.#shared.reporter.add(this.#segment);
  }

  // One above the limit is measured and not reported.
  #open(stated: Partial<SegmentSpan>): SegmentSpan {
    const span: SegmentSpan = {
      spanId: this.#segment.spans.length,
      parentSpanId: 0,
      startTime: Date.now(),
      endTime: 0,
      refs: [],
      operationName: "",
      peer: "",
      spanType: "Local",
      spanLayer: "Unknown",
      componentId: component,
      isError: false,
      tags: [],
      logs: [],
      ...stated,
    };
    if (this.#segment.spans.length < mostSpans) this.#segment.spans.push(span);
    return span;
  }

  // W3C's headers of the caller go on as they came: the next one may understand no other.
  #headersFrom({ spanId }: SegmentSpan, address: string): TraceHeaders {
    const { service, instance } = this.#shared;
    return {
      ...this.#passedOn,
      sw8: formatSw8({
        isSampled: this.#isSampled,
        traceId: this.#segment.traceId,
        segmentId: this.#segment.traceSegmentId,
        spanId,
        service,
        instance,
        endpoint: this.#entry?.operationName ?? "",
        address,
      }),
      ...(this.#correlation !== undefined && { "sw8-correlation": this.#correlation }),
    };
  }
}

function newId(): string {
  return randomUUID().replaceAll("-", "");
}

function referenceTo(caller: Sw8) {
  return {
    traceId: caller.traceId,
    parentTraceSegmentId: caller.segmentId,
    parentSpanId: caller.spanId,
    parentService: caller.service,
    parentServiceInstance: caller.instance,
    parentEndpoint: caller.endpoint,
    networkAddressUsedAtPeer: caller.address,
  };
}

function requestTags(invocation: Invocation): Record<string, string> {
  if (invocation.trigger !== "http") return { trigger: invocation.trigger };
  const { req } = invocation.response;
  const host = invocation.header("host") ?? "";
  return { "http.method": req.method ?? "", "http.url": `http://${host}${pathOf(req.url ?? "/")}` };
}

function tagsOf(texts: Record<string, string>): Tag[] {
  return Object.entries(texts).map(([key, value]) => ({ key, value }));
}

function fail(span: SegmentSpan, thrown: unknown): void {
  const { name, stack } = isError(thrown) ? thrown : {};
  span.isError = true;
  span.logs.push({
    time: Date.now(),
    data: tagsOf({
      event: "error",
      "error.kind": name ?? typeof thrown,
      message: messageOf(thrown),
      ...(stack !== undefined && { stack }),
    }),
  });
}
