/** What follows calls as parts of traces, as those see it who make calls. */
import type { Invocation } from "./invocation";
import type { InvocationSpan } from "./span";

/** One a process. */
export interface Tracing {
  /** Such as `opentelemetry`; what `ctx.getPlugin("tracing")` is made of. */
  readonly provider: string;
  /** The span of a call that is about to begin. */
  begin(invocation: Invocation, origin: SpanOrigin): InvocationSpan;
  /** Sends what waits, for some seconds at most. Never rejects. */
  flush(): Promise<void>;
}

/** Where a call came from; a request tells itself. */
export interface SpanOrigin {
  input?: { name: string; componentName: string; componentType: string; topic?: string } | undefined;
  event?: unknown;
  /** Bytes of the body. */
  rawBody?: Buffer | undefined;
  /** Counted from 1, of a delivery that is repeated in the process. */
  attempt?: number | undefined;
}
