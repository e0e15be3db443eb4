import type { IncomingMessage, ServerResponse } from "node:http";

import { decodeText } from "../core/content";
import { messageOf } from "../core/errors";

/** One call of the sidecar API, its body read. */
export interface Call {
  req: IncomingMessage;
  res: ServerResponse;
  query: URLSearchParams;
  body: Buffer;
}

export function noContent(res: ServerResponse): void {
  res.writeHead(204).end();
}

/** The component's bytes as they are. */
export function replyData(res: ServerResponse, data: Buffer): void {
  res.writeHead(200, { "Content-Type": "application/json", "Content-Length": data.length }).end(data);
}

/** The JSON of a body: 400 ERR_MALFORMED_REQUEST when it is none, or more than a string can hold. */
export function readBody(body: Buffer): unknown {
  try {
    return JSON.parse(decodeText(body));
  } catch (err) {
    return fail(400, "ERR_MALFORMED_REQUEST", `failed deserializing HTTP body: ${messageOf(err)}`);
  }
}

/** Dapr: `metadata.<name>=<value>` in the query. */
export function queryMetadata(query: URLSearchParams): Record<string, string> {
  const entries = [...query].filter(([name]) => name.startsWith("metadata."));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice("metadata.".length), value]));
}

/** W3C trace headers of the caller. */
export function traceHeaders({ headers }: IncomingMessage): { traceparent?: string; tracestate?: string } {
  const { traceparent, tracestate } = headers;
  return {
    ...(typeof traceparent === "string" && { traceparent }),
    ...(typeof tracestate === "string" && { tracestate }),
  };
}

/** An answer of the sidecar API that is an error: `{errorCode, message}`. */
export class ApiError extends Error {
  readonly status: number;
  readonly errorCode: string;

  constructor(status: number, errorCode: string, message: string) {
    super(message);
    this.status = status;
    this.errorCode = errorCode;
  }
}

export function fail(status: number, errorCode: string, message: string): never {
  throw new ApiError(status, errorCode, message);
}
