/** gRPC's status codes and how a failure is told (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
import { isFrameworkError } from "../../core/errors";

export const code = {
  notFound: 5,
  resourceExhausted: 8,
  deadlineExceeded: 4,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export type Code = (typeof code)[keyof typeof code];

// By the HTTP status of an error. Never UNIMPLEMENTED but for methods there are not: daprd acknowledges on it.
const codes = new Map<number, Code>([
  [401, code.unauthenticated],
  [404, code.notFound],
  [413, code.resourceExhausted],
  [503, code.unavailable],
]);

/** INTERNAL for everything that has no better word. */
export function codeOf(err: unknown): Code {
  return (isFrameworkError(err) ? codes.get(err.status ?? 500) : undefined) ?? code.internal;
}

const longest = 1_000; // characters of a message: trailers have a limit at the client

/** `grpc-message`: the UTF-8 bytes, with all but printable ASCII percent-encoded. */
export function encodeMessage(text: string): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return Array.from(Buffer.from(short.trim(), "utf8"), encodeByte).join("");
}

function encodeByte(byte: number): string {
  const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
  return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

const units: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout`: up to eight digits and a unit. NaN for anything else. */
export function readTimeout(header: string): number {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * (units[unit as string] as number);
}

/**
 * `grpc-trace-bin` as `traceparent`: version 0, then field 0 with the trace id, 1 with the span id, 2 with the flags
 * (OpenCensus). Undefined when it is none.
 */
export function traceparentOf(header: string): string | undefined {
  const bytes = Buffer.from(header, "base64");
  if (bytes.length < 29 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[18] !== 1 || bytes[27] !== 2)
    return undefined;
  return `00-${bytes.toString("hex", 2, 18)}-${bytes.toString("hex", 19, 27)}-${bytes.toString("hex", 28, 29)}`;
}
