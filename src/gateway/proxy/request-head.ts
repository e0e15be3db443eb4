/** The head of a request as the upstream gets it: the client's fields raw and in order, less what is this hop's. */
import type { IncomingMessage } from "node:http";

import { frameworkError } from "../../core/errors";
import { hostOf } from "./address";
import { malformedRequest } from "./errors";
import { type KnownField, knownField, listedFields, listMembers } from "./fields";
import { type Forwarded, forwardedLines, joined } from "./forwarded";
import { checkedPath, splitTarget } from "./request-target";

export interface RequestHead {
  text: string;
  /** How the body is framed, as it came. */
  framing: "none" | "length" | "chunked";
}

export interface RequestHeadOptions {
  address: string;
  /** Path and query in place of the request's. */
  path: string | undefined;
  /** In place of the client's Host. */
  host: string | undefined;
  /** Names and values in turn, in place of the client's of these names. */
  headers: readonly string[] | undefined;
  /** The client's X-Forwarded fields are kept and added to; else they are ours alone. */
  trustForwarded: boolean;
  /** The client asks for another protocol, and gets it where the upstream agrees. */
  upgrade: string | undefined;
}

/** Whether a head can be written, before it is known where to. Errors as those of `writeRequestHead`. */
export function checkRequest(req: IncomingMessage): void {
  const { rawHeaders } = req;
  const seen: Seen = { ...nothingSeen };
  checkedPath(splitTarget(req.url as string).path);
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const field = knownField(rawHeaders[index] as string);
    if (field !== undefined) isPassedOn(field, rawHeaders[index + 1] as string, seen);
  }
  framingOf(req, seen);
}

/** Errors: FF_REQUEST_MALFORMED, FF_REQUEST_CODING_UNSUPPORTED. */
export function writeRequestHead(req: IncomingMessage, options: RequestHeadOptions): RequestHead {
  const { rawHeaders } = req;
  const { authority, path } = splitTarget(req.url as string);
  const seen: Seen = { ...nothingSeen };
  const host = options.host === undefined ? authority : checkedValue(options.host); // RFC 9112 §3.2.2: an absolute target's goes before the field
  const left = leftOut(rawHeaders, options.headers);
  let fields = "";
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    const value = rawHeaders[index + 1] as string;
    const field = knownField(name);
    if (field !== undefined && !isPassedOn(field, value, seen)) continue;
    if (left?.has(name.toLowerCase())) continue;
    fields += `${name}: ${field === "host" && host !== undefined ? host : value}\r\n`;
  }
  const framing = framingOf(req, seen);
  const forwarded = forwardedLines(req.socket, {
    host: authority ?? seen.host,
    before: options.trustForwarded ? seen.forwarded : undefined,
    set: left,
  });
  if (seen.host === undefined) fields = `Host: ${host ?? hostOf(options.address)}\r\n${fields}`;
  return {
    text:
      `${req.method} ${checkedPath(options.path ?? path)} HTTP/1.1\r\n${fields}` +
      `${framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : ""}` +
      `${forwarded}${callerFields(options)}${connectionFields(seen, options)}\r\n`,
    framing,
  };
}

/** What was found on the way through the fields. */
interface Seen {
  host: string | undefined;
  length: string | undefined;
  coding: string | undefined;
  te: string | undefined;
  forwarded: Forwarded | undefined;
}

const nothingSeen: Seen = {
  host: undefined,
  length: undefined,
  coding: undefined,
  te: undefined,
  forwarded: undefined,
};

// Notes what the hop must know. The fields of the connection end here; X-Forwarded and the coding are written anew.
function isPassedOn(field: KnownField, value: string, seen: Seen): boolean {
  switch (field) {
    case "expect":
      return true;
    case "host":
      if (seen.host !== undefined) throw malformedRequest("it has two Host fields");
      seen.host = value;
      return true;
    case "content-length":
      if (seen.length !== undefined) throw malformedRequest("it has two Content-Lengths");
      seen.length = value;
      return true;
    case "transfer-encoding":
      seen.coding = joined(seen.coding, value);
      return false;
    case "te":
      seen.te = joined(seen.te, value);
      return false;
    case "x-forwarded-for":
      forwardedOf(seen).for = joined(seen.forwarded?.for, value);
      return false;
    case "x-forwarded-host":
      forwardedOf(seen).host ??= value;
      return false;
    case "x-forwarded-proto":
      forwardedOf(seen).proto ??= value;
      return false;
    default:
      return false;
  }
}

function forwardedOf(seen: Seen): Forwarded {
  seen.forwarded ??= { for: undefined, host: undefined, proto: undefined };
  return seen.forwarded;
}

function callerFields({ headers }: RequestHeadOptions): string {
  if (headers === undefined) return "";
  let text = "";
  for (let index = 0; index + 1 < headers.length; index += 2)
    text += `${headers[index]}: ${checkedValue(headers[index + 1] as string)}\r\n`;
  return text;
}

// Trailers are passed on, so the client's wish for them is too.
function connectionFields({ te }: Seen, { upgrade }: RequestHeadOptions): string {
  if (te === undefined && upgrade === undefined) return "";
  const options: string[] = [];
  let text = "";
  if (upgrade !== undefined) {
    text += `Upgrade: ${upgrade}\r\n`;
    options.push("Upgrade");
  }
  if (te !== undefined && /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i.test(te)) {
    text += "TE: trailers\r\n";
    options.push("TE");
  }
  return options.length > 0 ? `${text}Connection: ${options.join(", ")}\r\n` : text;
}

// Node's parser lets some of these through; none may reach an upstream that reads it in another way.
function framingOf(req: IncomingMessage, { length, coding }: Seen): RequestHead["framing"] {
  if (coding === undefined) {
    if (length === undefined) return "none";
    if (!/^\d{1,15}$/.test(length)) throw malformedRequest(`its Content-Length is "${length}"`);
    return Number(length) > 0 ? "length" : "none";
  }
  if (length !== undefined) throw malformedRequest("it has both a Content-Length and a Transfer-Encoding");
  if (req.httpVersion !== "1.1") throw malformedRequest("it is of HTTP/1.0 and has a Transfer-Encoding");
  if (coding.toLowerCase() !== "chunked") throw frameworkError("FF_REQUEST_CODING_UNSUPPORTED", { coding });
  return "chunked";
}

// No client takes away what routes or frames the message, or what we say of the client.
const neverLeftOut = ["host", "content-length", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

/** Names that are left out: those that Connection lists, and those that the caller sets. */
function leftOut(
  rawHeaders: readonly string[],
  headers: readonly string[] | undefined,
): Set<string> | undefined {
  let names: Set<string> | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 10 || knownField(name) !== "connection") continue;
    const listed = listedFields(rawHeaders[index + 1] as string);
    if (listed) names = new Set([...(names ?? []), ...listed]);
  }
  for (const name of neverLeftOut) names?.delete(name);
  if (headers !== undefined) {
    names ??= new Set();
    for (let index = 0; index < headers.length; index += 2)
      names.add((headers[index] as string).toLowerCase());
  }
  return names;
}

// What a caller adds may come from outside: a line break in it would be a field of its own.
function checkedValue(value: string): string {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
    throw malformedRequest("a value for its head holds a control character");
  return value;
}

/** The protocol that a request asks for, when its Connection says so too. */
export function upgradeOf({ rawHeaders }: IncomingMessage): string | undefined {
  let upgrade: string | undefined;
  let isListed = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const field = knownField(rawHeaders[index] as string);
    const value = rawHeaders[index + 1] as string;
    if (field === "upgrade") upgrade = value;
    else if (field === "connection" && listMembers(value.toLowerCase()).includes("upgrade")) isListed = true;
  }
  return isListed ? upgrade : undefined;
}
