/** What a body is, from its Content-Type and its bytes. */
import { constants, isUtf8 } from "node:buffer";
import { TextDecoder } from "node:util";

import type Qs from "qs";

import { frameworkError, messageOf } from "./errors";
import { lazyRequire } from "./lazy";

export interface ContentType {
  /** Lower case, without parameters; undefined when the header is absent or no media type. */
  readonly type: string | undefined;
  readonly charset: string | undefined;
}

const mediaType = /^\s*([\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+)\s*(?:;|$)/;

let lastHeader: string | undefined;
let lastType: ContentType = { type: undefined, charset: undefined };

/** What a header says. One caller after the other sends the same, so the last answer is kept. */
export function parseContentType(header: string | undefined): ContentType {
  if (header !== lastHeader) [lastHeader, lastType] = [header, parseHeader(header)];
  return lastType;
}

function parseHeader(header: string | undefined): ContentType {
  const type = header === undefined ? undefined : mediaType.exec(header)?.[1]?.toLowerCase();
  if (type === undefined || header === undefined) return { type: undefined, charset: undefined };
  const charset = /;\s*charset\s*=\s*"?([\w.:-]+)"?/i.exec(header)?.[1]?.toLowerCase();
  return { type, charset };
}

/** `application/json` and every `+json` type. */
export function isJson(type: string | undefined): boolean {
  return (
    type !== undefined && (type === "application/json" || type === "text/json" || type.endsWith("+json"))
  );
}

export function isText(type: string | undefined): boolean {
  return type?.startsWith("text/") ?? false;
}

/**
 * Event data by its type: JSON parsed (scalars too), text as string, anything else as bytes.
 * Errors: FF_BODY_MALFORMED for broken JSON, FF_BODY_UNSUPPORTED for a charset that is unknown or not for JSON.
 */
export function decodeData(bytes: Buffer, { type, charset }: ContentType): unknown {
  if (isJson(type)) return parseJson(decodeJsonText(bytes, charset));
  if (isText(type)) return decodeText(bytes, charset);
  return bytes;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (err) {
    throw frameworkError("FF_BODY_MALFORMED", { why: `broken JSON, ${messageOf(err)}` });
  }
}

/** The text of a JSON body. RFC 8259 knows no charset but UTF-8; UTF-16 is read as well. Error: FF_BODY_UNSUPPORTED. */
export function decodeJsonText(bytes: Buffer, charset?: string): string {
  if (charset !== undefined && !/^utf-?\d/.test(charset))
    throw frameworkError("FF_BODY_UNSUPPORTED", { what: "charset", value: charset });
  return decodeText(bytes, charset);
}

/**
 * Without the byte order mark that some senders begin with. Errors: FF_BODY_UNSUPPORTED for a charset that is unknown,
 * FF_BODY_TOO_LARGE for more than a string can hold, about 512 MB.
 */
export function decodeText(bytes: Buffer, charset = "utf-8"): string {
  if (charset === "utf-8" || charset === "utf8") {
    const text = toText(bytes);
    if (text === undefined) throw textTooLarge();
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset);
  } catch {
    throw frameworkError("FF_BODY_UNSUPPORTED", { what: "charset", value: charset });
  }
  // Asked before: the decoder ends the whole process for a text that is too long (observed on Node 20).
  if (bytes.length > constants.MAX_STRING_LENGTH) throw textTooLarge();
  try {
    return decoder.decode(bytes);
  } catch {
    throw textTooLarge(); // it replaces what it cannot read, and throws for nothing but the length
  }
}

/** The bytes as UTF-8, a byte order mark included. Undefined when there is more than a string can hold. */
export function toText(bytes: Buffer): string | undefined {
  try {
    return bytes.toString("utf8");
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ERR_STRING_TOO_LONG") throw err;
    return undefined;
  }
}

function textTooLarge(): Error {
  return frameworkError("FF_BODY_TOO_LARGE", { limit: constants.MAX_STRING_LENGTH, isText: true });
}

/**
 * Text when the bytes are UTF-8 and fit into a string, JSON parsed when they may be JSON and are: for senders whose header
 * cannot be trusted.
 */
export function guessData(bytes: Buffer, { json }: { json: boolean }): unknown {
  if (!isUtf8(bytes)) return bytes;
  const text = toText(bytes)?.replace(/^\uFEFF/, "");
  if (text === undefined) return bytes;
  if (!json) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export const formType = "application/x-www-form-urlencoded";
const parameterLimit = 1000;

/** A form with nested names (`b[c]=1`) and lists (`d[]=1`). Error: FF_BODY_TOO_MANY_PARAMETERS above 1000. */
export function parseForm(bytes: Buffer, charset?: string): Record<string, unknown> {
  const text = decodeText(bytes, charset);
  if (text === "") return {};
  const parameters = text.split("&", parameterLimit + 1).length;
  if (parameters > parameterLimit)
    throw frameworkError("FF_BODY_TOO_MANY_PARAMETERS", { limit: parameterLimit });
  const qs = lazyRequire("qs") as typeof Qs;
  return qs.parse(text, { allowPrototypes: true, arrayLimit: Math.max(100, parameters), depth: 32 });
}
