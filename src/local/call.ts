import type { IncomingMessage, ServerResponse } from "node:http";

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
