/** HTTP headers. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";

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

/** The first value of a header, given in lower case, from the raw list too. */
export function rawHeader(
  { rawHeaders }: { readonly rawHeaders: readonly string[] },
  wanted: string,
): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === wanted.length && name.toLowerCase() === wanted) return rawHeaders[index + 1];
  }
  return undefined;
}

/** A text as a header value: its UTF-8 bytes, as other languages write it; control characters are left out. */
export function encodeHeaderValue(text: string): string {
  return Buffer.from(text.replace(/\p{Cc}/gu, ""), "utf8").toString("latin1");
}

/** The other way: Node hands every byte of a header as one character. */
export function decodeHeaderValue(value: string): string {
  const bytes = Buffer.from(value, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : value;
}
