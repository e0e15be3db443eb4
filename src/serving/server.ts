/**
 * The HTTP server: Express's request and response without Express's router.
 *
 * http.createServer gets two classes whose prototypes inherit from Express's own request and response, so every
 * Express method works (`express-late`) and no prototype is changed per request, which would cost three quarters of the throughput.
 * They are classes, not functions: V8 sizes a derived class by its parents' fields, and a function that calls
 * http.ServerResponse makes every response a slow object (a third of the throughput).
 */
import { IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { frameworkError } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { followPipelined } from "../core/pipelined";
import { decodePercent } from "../core/url";
import type { Request, Response } from "../functions/types";
import { nextOf } from "../signatures/reply";
import { type AppSettings, createAppSettings } from "./application";
import { createLateExpress } from "./express-late";
import { createHttpServer } from "./http-server";
import { defineListeners, requestListeners, responseListeners } from "./listeners";
import { refuse } from "./refuse";
import { define, defineInvocationFields, defineLazily, invocationOf } from "./request";
import type { Reserved } from "./reserved";
import { createSend } from "./send";

const express = createLateExpress();
const { send, json } = createSend(() => express.load().response);

export type RequestHandler = (req: Request, res: Response) => void;

export interface FunctionServerOptions {
  handle: RequestHandler;
  /** What is answered before any function. */
  reserved?: Reserved | undefined;
  /** What `res.locals.context` is; functions of the upstream framework look there. */
  context?: unknown;
}

export interface FunctionServer {
  /** Does not listen yet. */
  server: Server;
  /** Loads what the first call of an Express method would wait for. */
  warmUp(): unknown;
}

export function createFunctionServer({ handle, reserved, context }: FunctionServerOptions): FunctionServer {
  const { FunctionRequest, FunctionResponse } = createMessageClasses(
    createAppSettings((setting, value) => express.load().compile(setting, value)),
    context,
  );
  const server = createHttpServer(
    {
      IncomingMessage: FunctionRequest,
      ServerResponse: FunctionResponse as unknown as typeof ServerResponse,
    },
    (req, res) => {
      const fields = req as unknown as { res: unknown; originalUrl: unknown };
      fields.res = res;
      fields.originalUrl = req.url;
      followPipelined(res);
      if (reserved?.(req, res)) return;
      const problem = problemOfUrl(req as unknown as Request);
      if (problem !== undefined) return refusePath(req, res, problem);
      handle(req as unknown as Request, res as unknown as Response);
    },
  );
  return { server, warmUp: express.load };
}

function problemOfUrl(req: Request): string | undefined {
  const { url } = req;
  if (!url.startsWith("/") && !isOtherForm(req)) return "is not a valid URL";
  if (url.includes("%") && !isDecodable(url)) return "is not valid percent-encoding";
  return undefined;
}

// RFC 9112 §3.2: proxies send a whole URL, OPTIONS may send `*`. For a URL that is none `req.path` would throw inside
// the function, as if the function had failed.
function isOtherForm(req: Request): boolean {
  if (req.url === "*") return true;
  try {
    return URL.canParse(req.url) && req.path !== "";
  } catch {
    return false;
  }
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

function refusePath({ url = "" }: IncomingMessage, res: ServerResponse, why: string): void {
  refuse(res, frameworkError("FF_PATH_MALFORMED", { path: url.split("?", 1)[0] as string, why }));
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
  }

  class FunctionResponse extends ServerResponse {
    declare app: AppSettings;
    /** What `send` has written in one go; Node keeps no record of such headers. */
    sentHeaders: Record<string, number | string> | undefined = undefined;
    [invocationOf]: Invocation | undefined = undefined;

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
  defineListeners(FunctionRequest.prototype, requestListeners);
  defineListeners(FunctionResponse.prototype, responseListeners);
  define(FunctionRequest.prototype, "app", app);
  define(FunctionResponse.prototype, "app", app);
  define(FunctionResponse.prototype, "send", send);
  define(FunctionResponse.prototype, "json", json);
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
