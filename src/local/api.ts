/** The sidecar's HTTP API: metadata, health, bindings, publish, state, secrets. Status and errorCode are Dapr's, the texts are ours. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { isFrameworkError, messageOf } from "../core/errors";
import { isToken, refusalOf } from "../core/origin";
import { replyJson, replyText } from "../core/reply";
import { decodePercent } from "../core/url";
import { readWholeBody } from "../serving/body";
import { invokeBinding } from "./api-bindings";
import { publishMessage } from "./api-publish";
import { getSecret, getSecrets } from "./api-secrets";
import { deleteState, getState, getStates, queryState, saveState, transactState } from "./api-state";
import { ApiError, type Call, fail, noContent } from "./call";
import type { LocalComponent } from "./components/component";

export interface ApiOptions {
  appId: string;
  components: ReadonlyMap<string, LocalComponent>;
  /** What `GET /v1.0/metadata` says of the app; read at every call. */
  app(): { port: number | undefined; subscriptions: unknown[] };
  /** False until the app is served. */
  isAppReady(): boolean;
  /** DAPR_API_TOKEN: when set, every caller must send it. */
  token: string | undefined;
  /** Names that a Host may say beside those of this machine. */
  allowedHosts?: readonly string[] | undefined;
  /** Largest body, bytes. Default 4 MiB as daprd. */
  maxBody?: number;
}

type Route = [methods: string, path: RegExp, run: (call: Call, ...parts: string[]) => void | Promise<void>];

export function createApi({
  appId,
  components,
  app,
  isAppReady,
  token,
  allowedHosts,
  maxBody = 4 * 1024 ** 2,
}: ApiOptions): Server {
  const routes: Route[] = [
    [
      "GET",
      /^\/v1\.0\/healthz$/,
      ({ res }) => (isAppReady() ? noContent(res) : fail(500, "ERR_HEALTH_NOT_READY", "dapr is not ready")),
    ],
    ["GET", /^\/v1\.0\/healthz\/outbound$/, ({ res }) => noContent(res)],
    ["GET", /^\/v1\.0\/metadata$/, ({ res }) => replyJson(res, 200, describe())],
    ["POST PUT", /^\/v1\.0\/bindings\/([^/]+)$/, (call, name = "") => invokeBinding(components, call, name)],
    [
      "POST PUT",
      /^\/v1\.0\/publish\/([^/]+)\/(.+)$/,
      (call, name = "", topic = "") => publishMessage(components, appId, call, name, topic),
    ],
    ["POST PUT", /^\/v1\.0\/state\/([^/]+)$/, (call, name = "") => saveState(components, call, name)],
    ["POST PUT", /^\/v1\.0\/state\/([^/]+)\/bulk$/, (call, name = "") => getStates(components, call, name)],
    [
      "POST PUT",
      /^\/v1\.0\/state\/([^/]+)\/transaction$/,
      (call, name = "") => transactState(components, call, name),
    ],
    [
      "POST PUT",
      /^\/v1\.0-alpha1\/state\/([^/]+)\/query$/,
      (call, name = "") => queryState(components, call, name),
    ],
    [
      "GET",
      /^\/v1\.0\/state\/([^/]+)\/([^/]+)$/,
      (call, name = "", key = "") => getState(components, call, name, key),
    ],
    [
      "DELETE",
      /^\/v1\.0\/state\/([^/]+)\/([^/]+)$/,
      (call, name = "", key = "") => deleteState(components, call, name, key),
    ],
    ["GET", /^\/v1\.0\/secrets\/([^/]+)\/bulk$/, (call, name = "") => getSecrets(components, call, name)],
    [
      "GET",
      /^\/v1\.0\/secrets\/([^/]+)\/([^/]+)$/,
      (call, name = "", key = "") => getSecret(components, call, name, key),
    ],
  ];

  function describe() {
    const { port, subscriptions } = app();
    return {
      id: appId,
      runtimeVersion: "local",
      enabledFeatures: [],
      components: [...components.values()].map(({ name, type, version, capabilities }) => ({
        name,
        type,
        version,
        capabilities,
      })),
      extended: { daprRuntimeVersion: "local" },
      subscriptions,
      ...(port !== undefined && {
        appConnectionProperties: { port, protocol: "http", channelAddress: "127.0.0.1" },
      }),
      actorRuntime: { runtimeStatus: "DISABLED", hostReady: false, placement: "", activeActors: [] },
    };
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { path, query } = readUrl(req);
    const refusal = refusalOf(req, { allowedHosts });
    if (refusal) return replyText(res, 403, refusal.message);
    if (
      token !== undefined &&
      !isToken(req.headers["dapr-api-token"], token) &&
      !path.startsWith("/v1.0/healthz")
    ) {
      return replyText(res, 401, "invalid api token");
    }
    for (const [methods, pattern, run] of routes) {
      const match = methods.split(" ").includes(req.method ?? "") ? pattern.exec(path) : null;
      if (!match) continue;
      const parts = match.slice(1).map(decodePercent);
      const body = await readWholeBody(req, maxBody).catch((err) => refuseBody(res, path, err));
      return run({ req, res, query, body }, ...parts);
    }
    // Dapr: anything unknown is read as service invocation without an app id.
    return fail(404, "ERR_DIRECT_INVOKE", `${req.method} ${path} is no call of this API`);
  }

  return createServer((req, res) => {
    answer(req, res).catch((err) => {
      if (res.headersSent || res.destroyed) {
        res.destroy();
        return;
      }
      const { status, errorCode } =
        err instanceof ApiError ? err : { status: 500, errorCode: "ERR_INTERNAL" };
      replyJson(res, status, { errorCode, message: messageOf(err), ...detailsOf(errorCode, messageOf(err)) });
    });
  });
}

// Dapr shows a body over the limit as a read error, never as 413.
function refuseBody(res: ServerResponse, path: string, err: unknown): never {
  if (!isFrameworkError(err)) throw err;
  res.setHeader("Connection", "close");
  if (path.startsWith("/v1.0/publish/")) return fail(500, "ERR_PUBSUB_PUBLISH_MESSAGE", err.message);
  return fail(400, "ERR_MALFORMED_REQUEST", err.message);
}

// The newer errors of Dapr carry details; one of them can be met here.
function detailsOf(errorCode: string, description: string) {
  if (errorCode !== "ERR_PUBSUB_NOT_FOUND") return {};
  const info = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "DAPR_PUBSUB_NOT_FOUND",
    domain: "dapr.io",
    metadata: {},
  };
  return { details: [{ ...info, metadata: { description } }] };
}

// Dapr normalises paths: double and trailing slashes do not count.
function readUrl(req: IncomingMessage): { path: string; query: URLSearchParams } {
  const [path = "/", ...rest] = (req.url ?? "/").split("?");
  const query = rest.join("?");
  return { path: path.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1"), query: new URLSearchParams(query) };
}
