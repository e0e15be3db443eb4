/** How a value of the user's goes over the wire. What has no form there is an error, never a silent `{}`. */
import { bytesOf } from "../core/bytes";
import { messageOf } from "../core/errors";

/** Why a value cannot be sent; the caller says where it was to go. */
export class UnserialisableError extends Error {}

/** Undefined for what is no bytes: Buffers, typed arrays, DataViews and ArrayBuffers are. */
export function asBytes(data: unknown): Buffer | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  if (ArrayBuffer.isView(data)) return bytesOf(data);
  return data instanceof ArrayBuffer || data instanceof SharedArrayBuffer ? Buffer.from(data) : undefined;
}

/** Bytes as base64, for they have no JSON form. Error: UnserialisableError, when no string can hold it. */
export function toBase64(bytes: Buffer): string {
  try {
    return bytes.toString("base64");
  } catch (err) {
    throw new UnserialisableError(`its ${bytes.length} bytes are too many for a text (${messageOf(err)})`);
  }
}

/** JSON text, empty for undefined. Error: UnserialisableError. */
export function toJson(data: unknown): string {
  if (typeof data === "function" || typeof data === "symbol")
    throw new UnserialisableError(`it is a ${typeof data}`);
  let text: string | undefined;
  try {
    text = JSON.stringify(data);
  } catch (err) {
    throw new UnserialisableError(messageOf(err));
  }
  // What JSON does not know it writes as {}: only then is it worth to look for the reason.
  if (text?.includes("{}")) assertNothingLost(data, new Set());
  return text ?? "";
}

const lossy = [
  ...["Map", "Set", "WeakMap", "WeakSet", "WeakRef", "Promise", "Error", "RegExp", "Blob", "FormData"],
  ...[
    "Response",
    "Request",
    "Headers",
    "URLSearchParams",
    "ReadableStream",
    "WritableStream",
    "TransformStream",
  ],
];

function assertNothingLost(value: unknown, seen: Set<unknown>, path = ""): void {
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return;
  const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (lossy.includes(kind) && Object.keys(value).length === 0) {
    const article = kind === "Error" ? "an" : "a";
    throw new UnserialisableError(
      `${path === "" ? "it" : path} is ${article} ${kind}, which JSON writes as {}`,
    );
  }
  for (const [key, entry] of Object.entries(value)) assertNothingLost(entry, seen, `${path}.${key}`);
}

/** Metadata of a call as texts. Undefined members count as absent. Error: `wrong` with the name and why. */
export function textsOf(
  metadata: Record<string, unknown>,
  wrong: (name: string, why: string) => Error,
): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) {
    if (value === undefined || value === null) continue;
    if (typeof value === "object" || typeof value === "function" || typeof value === "symbol")
      throw wrong(
        name,
        `must be a text, not ${Array.isArray(value) ? "a list" : `a value of type ${typeof value}`}`,
      );
    texts[name] = String(value);
    if (!isWellFormed(name + texts[name])) throw wrong(name, "holds half of a character");
  }
  return texts;
}

/** False for half of a surrogate pair, which no URL and no UTF-8 can hold. */
function isWellFormed(text: string): boolean {
  return !/\p{Cs}/u.test(text);
}

/** True when a text can be the last part of a path: `.` and `..` mean another place in a URL. */
export function isPathPart(text: string): boolean {
  return text !== "." && text !== ".." && isWellFormed(text);
}

/** Dapr: metadata of a publish or a state call is `metadata.<name>=<value>` in the query. */
export function metadataQuery(metadata: Record<string, string>): string {
  return Object.entries(metadata)
    .map(([name, value]) => `metadata.${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join("&");
}

/** Milliseconds that a call may take: more than 0, and no more than a timer of Node can hold. */
export function isDuration(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value < 2 ** 31;
}
