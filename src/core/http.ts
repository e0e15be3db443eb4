/** HTTP rules that several rooms share. */
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";

/** Hop-by-hop headers (RFC 9110 §7.6.1) and the length, which belongs to one message. */
export const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * True when the request carries one of these headers, given in lower case. Looks at the raw list, because the first
 * read of `req.headers` builds it for a microsecond or two.
 */
export function hasHeader({ rawHeaders }: IncomingMessage, names: readonly string[]): boolean {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    for (const wanted of names) {
      if (name.length === wanted.length && name.toLowerCase() === wanted) return true;
    }
  }
  return false;
}

/** Answers a small text; `nosniff`, so that a browser never reads it as a page. */
export function replyText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  reply(res, status, "text/plain; charset=utf-8", text, headers);
}

export function replyJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  reply(res, status, "application/json", JSON.stringify(value), headers);
}

function reply(
  res: ServerResponse,
  status: number,
  type: string,
  text: string,
  headers: Record<string, string>,
): void {
  if (res.headersSent) {
    res.destroy(); // a half-written answer must look broken, not finished
    return;
  }
  // What was prepared for another answer does not belong to this one.
  for (const name of res.getHeaderNames()) if (name !== "connection") res.removeHeader(name);
  res.writeHead(status, {
    ...headers,
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(text),
    "X-Content-Type-Options": "nosniff",
  });
  res.end(text);
}

/** True when the Host header names this machine: a page elsewhere cannot reach us through DNS it controls. */
export function isLocalHost(host: string | undefined): boolean {
  if (host === undefined) return true; // HTTP/1.0 tools; browsers always send one
  const name = host
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "")
    .toLowerCase();
  return name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0;
}

/** True when the request comes from a page of another site. */
export function isForeignOrigin(origin: string | undefined): boolean {
  if (origin === undefined) return false;
  return !URL.canParse(origin) || !isLocalHost(new URL(origin).host);
}

/** Compares a token header in a time that does not depend on where it differs. */
export function isToken(given: string | string[] | undefined, token: string): boolean {
  const [a, b] = [Buffer.from(String(given ?? "")), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Percent-decoding that takes what is not valid percent-encoding as it stands. */
export function decodePercent(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A URL whose password is not shown. */
export function maskUrl(url: string): string {
  return url.replace(/^([a-z][\w+.-]*:\/\/[^\s/:@]*):.*@/is, "$1:***@"); // greedy: a password may hold any sign
}
