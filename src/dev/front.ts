/** The address in front of all functions: every request takes a lease of an instance and goes there by the hop. */
import type { IncomingMessage, ServerOptions, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { type FrameworkError, frameworkError } from "../core/errors";
import { refusalOf } from "../core/origin";
import { listenByRule, type PortOptions, type PortWish } from "../core/ports";
import { replyProblem } from "../core/reply";
import { pathOf } from "../core/url";
import { createProxy } from "../gateway/proxy/proxy";
import { inTurn, responseOn } from "../gateway/proxy/upgrade-response";
import { createInstancesUpstream } from "../gateway/upstream/instances";
import type { Supervisor } from "../instances/supervisor";
import { prepareDrain } from "../serving/drain";
import { createHttpServer } from "../serving/http-server";
import { createFrontRoutes, type FrontRoute } from "./front-routes";
import type { FunctionPlan } from "./plan";

export interface FrontOptions {
  functions: readonly Pick<FunctionPlan, "name" | "isAsync">[];
  supervisor: Pick<Supervisor, "acquire">;
  port: PortWish;
  onMoved?: PortOptions["onMoved"];
  /** Names that a Host may say beside those of this machine. */
  allowedHosts?: readonly string[] | undefined;
  /** Milliseconds to the head of an answer. Default 300,000, as on Knative. */
  timeout?: number;
  /** Limits of its connections. Default: those of `serve`. */
  timeouts?: ServerOptions;
}

export interface Front {
  port: number;
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** Stops accepting, finishes what is in flight within the grace period (seconds), cuts the rest. Twice is fine. */
  stop(grace: number): Promise<void>;
}

/** Listens on loopback by the port rule. Errors: FF_PORT_IN_USE, FF_LISTEN_FAILED. */
export async function startFront({
  functions,
  supervisor,
  port: wish,
  onMoved,
  allowedHosts,
  timeout = 300_000,
  timeouts = {},
}: FrontOptions): Promise<Front> {
  const find = createFrontRoutes(functions);
  const known = functions.map(({ name }) => `/${name}`);
  const proxy = createProxy({ timeout });
  const instances = createInstancesUpstream({ supervisor, proxy });
  let stopped: Promise<void> | undefined;

  function refusalFor(req: IncomingMessage, isUpgrade: boolean): FrameworkError | undefined {
    // A page may follow a link to here. It may neither change anything nor open a connection that it can read.
    return refusalOf(req, { allowedHosts, checksOrigin: isUpgrade || !isSafe(req.method) });
  }

  function route(
    req: IncomingMessage,
    { isUpgrade, send, fail }: { isUpgrade: boolean; send(route: FrontRoute): void; fail(): ServerResponse },
  ): void {
    const refusal = refusalFor(req, isUpgrade);
    if (refusal) return refuse(fail(), refusal);
    const { url = "/" } = req;
    const found = find(url);
    if (found) return send(found);
    refuse(fail(), frameworkError("FF_FRONT_PATH_UNKNOWN", { path: pathOf(url), known }));
  }

  const forward = (req: IncomingMessage, res: ServerResponse) =>
    route(req, { isUpgrade: false, send: (found) => instances.forward(req, res, found), fail: () => res });
  const server = createHttpServer(timeouts, forward);
  server.on("checkContinue", forward);
  server.on("upgrade", (req: IncomingMessage, socket: Socket, first: Buffer) =>
    inTurn(socket, () =>
      route(req, {
        isUpgrade: true,
        send: (found) => instances.upgrade(req, socket, first, found),
        fail: () => responseOn(socket, req),
      }),
    ),
  );
  const drain = prepareDrain(server);
  const port = await listenByRule(server, wish, onMoved ? { onMoved } : {});

  async function finish(grace: number): Promise<void> {
    await drain.finish(grace, { isCrashed: () => false });
    proxy.destroy();
    await proxy.close();
  }

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    stop(grace) {
      stopped ??= finish(grace);
      return stopped;
    },
  };
}

const isSafe = (method: string | undefined) => method === "GET" || method === "HEAD" || method === "OPTIONS";

function refuse(res: ServerResponse, { status = 500, code, message }: FrameworkError): void {
  if (!res.req.complete && res.req.headers.expect !== undefined) res.setHeader("Connection", "close");
  replyProblem(res, status, message, { code });
}
