/** The part of a trace that belongs to a call. OpenTelemetry and SkyWalking are its two kinds; they stand in tracing/. */
import type { TraceContext, TraceHeaders } from "./trace";

export interface InvocationSpan {
  /** Its own ids, for log lines. */
  readonly ids: TraceContext;
  /** What requests carry that are made within it. */
  readonly headers: TraceHeaders;
  /** Runs the call, so that all it starts belongs to the span. */
  run<R>(work: () => R): R;
  /** Runs a part of the call within a span of its own. */
  within<T>(name: string, work: () => T | PromiseLike<T>): Promise<T>;
  /** A span for one message to an output. */
  send(output: string): SendSpan;
  end(end: SpanEnd): void;
}

export interface SendSpan {
  /** What travels with the message. */
  readonly headers: TraceHeaders;
  /** The message as it is to be sent: as it is, or with the trace inside of it. */
  wrap(message: Message): Message;
  end(failure?: { reason: unknown }): void;
}

export interface Message {
  data: unknown;
  contentType?: string | undefined;
}

export interface SpanEnd {
  /** `ok` and `error` for HTTP; `ack`, `retry` and `drop` for deliveries. */
  outcome: "ok" | "error" | "ack" | "retry" | "drop";
  /** HTTP status of the answer. */
  status: number;
  /** What it was that failed. */
  error?: unknown;
}
