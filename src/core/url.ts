/** URLs and what is in them. */

/** Percent-decoding that takes what is not valid percent-encoding as it stands. */
export function decodePercent(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What a request asks for as it stands on the request line: a path with its query, after a scheme and host or alone. */
export interface RequestTarget {
  /** Empty but for a whole URL, which proxies send and every server must take (RFC 9112 §3.2.2). */
  origin: string;
  /** Path and query. */
  local: string;
}

export function splitTarget(target: string): RequestTarget {
  if (target.startsWith("/")) return { origin: "", local: target };
  const [origin = ""] = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i.exec(target) ?? [];
  const local = target.slice(origin.length);
  return { origin, local: origin === "" || local.startsWith("/") ? local : `/${local}` };
}

/** The path of a request's target, without the query. */
export function pathOf(target: string): string {
  const local = target.startsWith("/") ? target : splitTarget(target).local;
  const query = local.indexOf("?");
  return query === -1 ? local : local.slice(0, query);
}

/** A URL whose password is not shown. */
export function maskUrl(url: string): string {
  return url.replace(/^([a-z][\w+.-]*:\/\/[^\s/:@]*):.*@/is, "$1:***@"); // greedy: a password may hold any sign
}
