/** The body of `POST /v1/invoke`. */
import { frameworkError } from "../core/errors";
import { hopByHop } from "../core/http";
import { describe, isRecord } from "../core/value";

export interface InvokeRequest {
  function: string | undefined;
  binding: string | undefined;
  topic: string | undefined;
  pubsub: string | undefined;
  body: Buffer;
  /** In lower case, the content type among them. */
  headers: Record<string, string>;
}

/**
 * `data` is sent as it stands when it is a text, else as JSON. Its type: `contentType`, else the header, else
 * `text/plain` for a text. Error: FF_CONTROL_FIELD.
 */
export function readInvokeRequest(body: unknown): InvokeRequest {
  if (!isRecord(body)) throw wrong("the body", "an object", body);
  const text = (field: string) => {
    const value = body[field];
    if (value === undefined || (typeof value === "string" && value !== "" && !loneSurrogate.test(value)))
      return value;
    throw wrong(field, "a text", value);
  };
  const [name, binding, topic] = [text("function"), text("binding"), text("topic")];
  if (name === undefined && binding === undefined && topic === undefined)
    throw wrong("function", "a text, or binding or topic", undefined);
  if (binding !== undefined && topic !== undefined) throw wrong("topic", "left out beside binding", topic);
  const { data } = body;
  const isText = typeof data === "string";
  const contentType = text("contentType");
  if (contentType !== undefined && !isHeaderValue(contentType))
    throw wrong("contentType", "a text that a header may hold", contentType);
  const plain = isText || data === undefined ? "text/plain; charset=utf-8" : "application/json";
  const headers = headersOf(body.headers);
  return {
    function: name,
    binding,
    topic,
    pubsub: text("pubsub"),
    body: Buffer.from(isText ? data : data === undefined ? "" : jsonOf(data)),
    headers: {
      ...(data !== undefined && { "content-type": plain }),
      ...headers,
      ...(contentType !== undefined && { "content-type": contentType }),
    },
  };
}

const loneSurrogate = /\p{Cs}/u; // no URL can hold it

function jsonOf(data: unknown): string {
  try {
    return JSON.stringify(data);
  } catch {
    throw wrong("data", "nested less deeply", data);
  }
}

// Those of a connection are not passed on: this one has its own.
function headersOf(given: unknown): Record<string, string> {
  if (given === undefined) return {};
  if (!isRecord(given)) throw wrong("headers", "an object of texts", given);
  const rows = Object.entries(given).map(([name, value]): [string, string] => {
    const isName = /^[\w!#$%&'*+.^`|~-]+$/.test(name);
    if (!isName || typeof value !== "string" || !isHeaderValue(value))
      throw wrong(`headers.${name}`, "a text that a header may hold", value);
    return [name.toLowerCase(), value];
  });
  return Object.fromEntries(rows.filter(([name]) => !hopByHop.has(name)));
}

const isHeaderValue = (text: string) => !/[^\t\x20-\x7e\x80-\xff]/.test(text);

const wrong = (field: string, allowed: string, value: unknown) =>
  frameworkError("FF_CONTROL_FIELD", { field, allowed, value: describe(value) });
