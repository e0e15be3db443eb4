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

/** A URL whose password is not shown. */
export function maskUrl(url: string): string {
  return url.replace(/^([a-z][\w+.-]*:\/\/[^\s/:@]*):.*@/is, "$1:***@"); // greedy: a password may hold any sign
}
