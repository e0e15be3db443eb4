/** Header fields that a hop must know by name, in both directions. */

export type KnownField =
  | "connection"
  | "content-length"
  | "expect"
  | "host"
  | "keep-alive"
  | "proxy-authenticate"
  | "proxy-authorization"
  | "proxy-connection"
  | "te"
  | "transfer-encoding"
  | "upgrade"
  | "x-forwarded-for"
  | "x-forwarded-host"
  | "x-forwarded-proto";

const known: readonly KnownField[] = [
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
];

const byLength: KnownField[][] = [];
for (const field of known) {
  byLength[field.length] ??= [];
  byLength[field.length]?.push(field);
}

/**
 * The lower-case name of a field that a hop must know, undefined for all others. By length and first letter: most
 * names are told apart without a copy in lower case.
 */
export function knownField(name: string): KnownField | undefined {
  const fields = byLength[name.length];
  if (fields === undefined) return undefined;
  const first = name.charCodeAt(0) | 0x20;
  for (const field of fields) {
    if (field.charCodeAt(0) === first && name.toLowerCase() === field) return field;
  }
  return undefined;
}

/**
 * The names that the value of Connection lists besides `close`, `keep-alive` and `upgrade`, in lower case: these
 * fields go no further (RFC 9110 §7.6.1). Undefined when there is none.
 */
export function listedFields(connection: string): Set<string> | undefined {
  const value = connection.toLowerCase();
  if (value === "keep-alive" || value === "close" || value === "upgrade") return undefined;
  const names = listMembers(value).filter((name) => !connectionOptions.has(name));
  return names.length > 0 ? new Set(names) : undefined;
}

/** The members of a comma-separated value. */
export function listMembers(value: string): string[] {
  return value
    .split(",")
    .map((member) => trimSpace(member))
    .filter((member) => member !== "");
}

/** Without space and tab around it. `trim` would take 0xA0 too, which is a part of an "à" in UTF-8. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

const connectionOptions: ReadonlySet<string> = new Set(["close", "keep-alive", "upgrade"]);

/** A raw list without the fields of these lower-case names. */
export function withoutFields(fields: readonly string[], names: ReadonlySet<string>): string[] {
  return pairs(fields).flatMap(([name, value]) => (names.has(name.toLowerCase()) ? [] : [name, value]));
}

/** Trailers as pairs, without those that frame or route a message (RFC 9110 §6.5.1). */
export function trailerPairs(fields: readonly string[]): [string, string][] {
  return pairs(fields).filter(([name]) => knownField(name) === undefined && name.toLowerCase() !== "trailer");
}

function pairs(fields: readonly string[]): [string, string][] {
  const all: [string, string][] = [];
  for (let index = 0; index + 1 < fields.length; index += 2)
    all.push([fields[index] as string, fields[index + 1] as string]);
  return all;
}
