/**
 * The HTTP server: Express's request and response without Express's router.
 *
 * http.createServer gets two classes whose prototypes inherit from Express's own request and response, so every
 * Express method works and no prototype is changed per request, which would cost three quarters of the throughput.
 * They are classes, not functions: V8 sizes a derived class by its parents' fields, and a function that calls
 * http.ServerResponse makes every response a slow object (a third of the throughput).
 */
import { createServer as createHttpServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { frameworkError } from "../core/errors";
import { hasHeader } from "../core/http";
import type { Invocation } from "../core/invocation";
import { decodePercent } from "../core/url";
import type { Request, Response } from "../functions/types";
import { nextOf } from "../signatures/reply";
import { type AppSettings, createAppSettings } from "./application";
import { emitWithin } from "./emit";
import { loadExpress } from "./express";
import { closeWithConnection } from "./pipelining";
import { refuse } from "./refuse";
import { define, defineInvocationFields, defineLazily, invocationOf } from "./request";
import type { Reserved } from "./reserved";
import { serverTimeouts } from "./timeouts";

const express = loadExpress();

export type RequestHandler = (req: Request, res: Response) => void;

export interface FunctionServerOptions {
  handle: RequestHandler;
  /** What is answered before any function. */
  reserved?: Reserved | undefined;
  /** What `res.locals.context` is; functions of the upstream framework look there. */
  context?: unknown;
}

/** A server that does not listen yet. */
export function createFunctionServer({ handle, reserved, context }: FunctionServerOptions): Server {
  const { FunctionRequest, FunctionResponse } = createMessageClasses(createAppSettings(express), context);
  const server = createHttpServer(
    {
      ...serverTimeouts,
      IncomingMessage: FunctionRequest,
      ServerResponse: FunctionResponse as unknown as typeof ServerResponse,
    },
    (req, res) => {
      const fields = req as unknown as { res: unknown; originalUrl: unknown };
      fields.res = res;
      fields.originalUrl = req.url;
      if (reserved?.(req, res)) return;
      closeWithConnection(req, res);
      const url = req.url as string;
      if (url.includes("%") && !isDecodable(url)) return refusePath(res, url);
      handle(req as unknown as Request, res as unknown as Response);
    },
  );
  return server.setTimeout(0); // a function may take its time: deadlines are the guard's business
}

// Express's router, and so the original frameworks, answer a path that cannot be decoded 400. A query may hold anything.
function isDecodable(url: string): boolean {
  const [path = ""] = url.split("?", 1);
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

function refusePath(res: ServerResponse, url: string): void {
  refuse(res, frameworkError("FF_PATH_MALFORMED", { path: url.split("?", 1)[0] as string }));
}

function createMessageClasses(app: AppSettings, context: unknown) {
  class FunctionRequest extends IncomingMessage {
    // Assigned here once, so that all requests keep one shape.
    res: unknown = undefined;
    body: unknown = undefined;
    rawBody: Buffer | undefined = undefined;
    baseUrl = "";
    originalUrl: string | undefined = undefined;
    [invocationOf]: Invocation | undefined = undefined;
    declare app: AppSettings;

    constructor(socket: Socket) {
      super(socket);
    }

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      return emitWithin(this, super.emit, event, args);
    }
  }

  class FunctionResponse extends ServerResponse {
    declare app: AppSettings;
    /** What `send` has written in one go; Node keeps no record of such headers. */
    sentHeaders: Record<string, number | string> | undefined = undefined;
    [invocationOf]: Invocation | undefined = undefined;

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      return emitWithin(this, super.emit, event, args);
    }

    override getHeader(name: string) {
      return super.getHeader(name) ?? this.sentHeaders?.[name.toLowerCase()];
    }

    override hasHeader(name: string): boolean {
      return this.getHeader(name) !== undefined;
    }

    override getHeaders() {
      return { ...this.sentHeaders, ...super.getHeaders() };
    }

    override getHeaderNames(): string[] {
      return Object.keys(this.getHeaders());
    }
  }

  Object.setPrototypeOf(FunctionRequest.prototype, express.request);
  Object.setPrototypeOf(FunctionResponse.prototype, express.response);
  define(FunctionRequest.prototype, "app", app);
  define(FunctionResponse.prototype, "app", app);
  define(FunctionResponse.prototype, "send", send);
  defineInvocationFields(FunctionRequest.prototype);
  defineLazily(FunctionRequest.prototype, "params", paramsOf);
  const production = app.get("env") === "production";
  defineLazily(FunctionRequest.prototype, "next", (req: Request) =>
    nextOf(req, req.res as Response, { production }),
  );
  defineLazily(FunctionResponse.prototype, "locals", () =>
    Object.assign(Object.create(null), context && { context }),
  );
  return { FunctionRequest, FunctionResponse };
}

/**
 * Every path belongs to the function, which Express 5 writes as `/{*splat}` and Express 4 as `/*`: the parameters of
 * both.
 */
function paramsOf(req: Request): Record<string, unknown> {
  const path = req.path.slice(1);
  const params = Object.create(null);
  if (path !== "") params.splat = path.split("/").map(decodePercent); // split first: %2F is part of a segment
  return Object.defineProperty(params, "0", {
    value: decodePercent(path),
    configurable: true,
    writable: true,
  });
}

type PlainResponse = ServerResponse & {
  app: AppSettings;
  req: IncomingMessage;
  sentHeaders: Record<string, number | string> | undefined;
};

/**
 * `res.send` for the common case, the rest is Express's: the reply's bytes are the same. One writeHead in place of two
 * setHeaders and Express's checks takes 4 of 20 µs off a request.
 */
function send(this: PlainResponse, body?: unknown): unknown {
  const type = this.getHeader("Content-Type");
  if (typeof body !== "string" || !isPlain(this, type)) return express.response.send.call(this, body);
  const contentType = type ?? "text/html; charset=utf-8";
  const length = Buffer.byteLength(body);
  this.writeHead(200, { "Content-Type": contentType, "Content-Length": length });
  this.sentHeaders = { "content-type": contentType, "content-length": length };
  this.end(body, "utf8");
  return this;
}

// No charset to add, no freshness to check, no tag to make, no body to leave out.
function isPlain(res: PlainResponse, type: unknown): type is string | undefined {
  return (
    (type === undefined || (typeof type === "string" && type.endsWith("; charset=utf-8"))) &&
    !res.headersSent && // Express's way has the error that people know
    res.statusCode === 200 &&
    res.req.method !== "HEAD" &&
    res.app.settings["etag fn"] === undefined &&
    !hasHeader(res.req, conditionalHeaders)
  );
}

const conditionalHeaders = ["if-none-match", "if-modified-since"];
