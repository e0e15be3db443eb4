/** Trace context as it travels in headers: W3C's `traceparent`, and Google's `X-Cloud-Trace-Context`. */

export interface TraceContext {
  /** 32 hex digits. */
  traceId: string;
  /** The caller's span: 16 hex digits from `traceparent`, a decimal number from Google's header. */
  spanId: string;
}

// W3C Trace Context §3.2: version, trace, parent, flags; a later version may add parts behind another dash.
const traceparentPattern = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}(?:$|-)/;
const cloudPattern = /^(\w+)\/(\d+)(?:;|$)/;

/** Undefined for a header that breaks the rules: it must be ignored, not repaired. */
export function parseTraceparent(header: string): TraceContext | undefined {
  const [, version, traceId = "", spanId = ""] = traceparentPattern.exec(header) ?? [];
  if (version === undefined || version === "ff" || /^0+$/.test(traceId) || /^0+$/.test(spanId))
    return undefined;
  if (version === "00" && header.length !== 55) return undefined;
  return { traceId, spanId };
}

/** `TRACE/SPAN;o=1`; the options say only whether somebody records. */
export function parseCloudTrace(header: string): TraceContext | undefined {
  const [, traceId, spanId] = cloudPattern.exec(header) ?? [];
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId };
}
