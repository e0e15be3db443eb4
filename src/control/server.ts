/** A JSON server on loopback, for programs of this machine. What it answers is a table of routes. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { asFrameworkError, type FrameworkError, frameworkError } from "../core/errors";
import { background } from "../core/lifecycle";
import { logError } from "../core/log";
import { refusalOf } from "../core/origin";
import { followPipelined } from "../core/pipelined";
import { listenByRule, type PortWish } from "../core/ports";
import { breakOff, replyJson } from "../core/reply";
import { readJsonBody } from "./body";
import { sendLines } from "./lines";
import { type ControlReply, type ControlRoute, matchRoutes } from "./routes";

export interface ControlOptions {
  routes: readonly ControlRoute[];
  port: PortWish;
  /** Names that a Host may say beside those of this machine. */
  allowedHosts?: readonly string[] | undefined;
}

export interface ControlServer {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** Ends it, and those who follow something. Twice is fine. */
  stop(): Promise<void>;
}

const largestBody = 1024 ** 2; // bytes
const longestEnd = 1_000; // ms for what is on its way when it stops

/** Errors: FF_PORT_IN_USE, FF_LISTEN_FAILED. */
export async function startControl({
  routes,
  port: wish,
  allowedHosts,
}: ControlOptions): Promise<ControlServer> {
  const calls = new Map<AbortController, Promise<unknown>>();
  let stopped: Promise<void> | undefined;

  const server = createServer((req, res) => {
    const ending = new AbortController();
    const onClose = () => {
      ending.abort();
      calls.delete(ending);
    };
    calls.set(ending, untilOver(res).then(onClose));
    const refusal = refusalOf(req, { allowedHosts });
    if (refusal) return refuse(res, refusal);
    background(answer(routes, req, res, ending.signal).catch((err) => refuse(res, asFrameworkError(err))));
  });
  const port = await listenByRule(server, wish);

  async function finish(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const ending of calls.keys()) ending.abort();
    await withinTime(Promise.all(calls.values()));
    server.closeAllConnections();
    await closed;
  }

  return {
    url: `http://127.0.0.1:${port}`,
    stop() {
      stopped ??= finish();
      return stopped;
    },
  };
}

function untilOver(res: ServerResponse): Promise<unknown> {
  followPipelined(res);
  return new Promise((resolve) => res.once("close", resolve));
}

async function answer(
  routes: readonly ControlRoute[],
  req: IncomingMessage,
  res: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { method = "GET", url = "/" } = req;
  const [path = "/", ...rest] = url.split("?");
  const matches = matchRoutes(routes, path);
  if (matches.size === 0) throw frameworkError("FF_PATH_NOT_FOUND", { method, path });
  const match = matches.get(method === "HEAD" ? "GET" : method);
  if (!match) {
    const allowed = [...matches.keys()].flatMap((one) => (one === "GET" ? ["GET", "HEAD"] : [one]));
    const error = frameworkError("FF_METHOD_NOT_ALLOWED", { method, allowed });
    return refuse(res, error, { Allow: allowed.join(", ") });
  }
  const { route, params } = match;
  const body = route.method === "GET" ? undefined : await readJsonBody(req, largestBody);
  const query = new URLSearchParams(rest.join("?"));
  await reply(res, await route.answer({ params, query, body, signal }), signal);
}

async function reply(res: ServerResponse, { status = 200, body, lines }: ControlReply, signal: AbortSignal) {
  if (lines) return sendLines(res, lines, signal);
  if (body !== undefined) return replyJson(res, status, body);
  res.writeHead(status, { "Content-Length": 0 }).end();
}

function refuse(res: ServerResponse, error: FrameworkError, headers: Record<string, string> = {}): void {
  if (res.destroyed || res.req.socket.destroyed) return; // nobody is there any more
  if (error.status === undefined) logError(error);
  if (res.headersSent) return breakOff(res);
  const { status = 500, message, code } = error;
  replyJson(res, status, { error: message, code }, headers);
}

async function withinTime(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, longestEnd);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
