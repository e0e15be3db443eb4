/** What the sidecar's answers hold. */
import { constants } from "node:buffer";

import type { ClientReply } from "./client";

/** JSON parsed, else text, for components may answer any text; undefined when it is empty, bytes when no string can hold it. */
export function readJsonOrText(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (body.length > constants.MAX_STRING_LENGTH) return body;
  const text = body.toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Dapr: response metadata are headers `metadata.<name>`. */
export function replyMetadata(headers: ClientReply["headers"]): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const name in headers) {
    if (name.startsWith("metadata.")) metadata[name.slice("metadata.".length)] = String(headers[name]);
  }
  return metadata;
}
