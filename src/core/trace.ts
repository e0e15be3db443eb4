/** Trace context as it travels in headers: W3C's `traceparent`, and Google's `X-Cloud-Trace-Context`. */

export interface TraceContext {
  /** 32 hex digits. */
  traceId: string;
  /** The caller's span: 16 hex digits from `traceparent`, a decimal number from Google's header. */
  spanId: string;
}

/** The same as it goes on with the requests that a call makes: W3C's headers, and those of what traces here. */
export type TraceHeaders = Readonly<Record<string, string>>;

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

/** Both headers when the first one keeps the rules; a state without a parent means nothing (W3C §3.3). */
export function traceHeaders(traceparent: unknown, tracestate: unknown): TraceHeaders | undefined {
  if (typeof traceparent !== "string" || parseTraceparent(traceparent) === undefined) return undefined;
  return typeof tracestate === "string" && isFieldValue(tracestate) && tracestate !== ""
    ? { traceparent, tracestate }
    : { traceparent };
}

/** Google's header in W3C's form. Undefined when its trace is no 32 hex digits or its span no 64 bits. */
export function traceparentOfCloudTrace(header: string): string | undefined {
  const { traceId = "", spanId = "" } = parseCloudTrace(header) ?? {};
  if (!/^[\da-f]{32}$/i.test(traceId) || spanId.length > 20) return undefined;
  const span = BigInt(spanId).toString(16).padStart(16, "0");
  const traceparent = `00-${traceId.toLowerCase()}-${span}-${/;\s*o=1\b/.test(header) ? "01" : "00"}`;
  return parseTraceparent(traceparent) && traceparent;
}

// An event's attribute may hold any text, a header may not.
function isFieldValue(text: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(text);
}
