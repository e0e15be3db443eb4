/** The sidecar's API without a network: real HTTP over a pair of streams, for what has no end at which to close a port. */
import { type IncomingMessage, request as openRequest, type Server } from "node:http";
import { type Duplex, duplexPair } from "node:stream";

import { frameworkError } from "../core/errors";
import { type HttpClient, requestTimeout } from "../dapr/client";
import type { Readiness } from "../dapr/readiness";
import type { DaprSdk } from "../dapr/sdk";
import type { Sidecar } from "../dapr/sidecar";
import { createSidecarClient, type SidecarClient } from "../dapr/sidecar-client";
import { createApi } from "../local/api";
import type { TestComponents } from "./components";

const sidecar: Sidecar = {
  origin: "http://localhost:3500",
  host: "localhost",
  port: 3500,
  grpcPort: "50001",
  token: undefined,
};

export function createMemorySidecar({ specs, open }: TestComponents): SidecarClient {
  const api = createApi({
    appId: "test",
    components: new Map(specs.map((spec) => [spec.name, open(spec)])),
    app: () => ({ port: undefined, subscriptions: [] }),
    isAppReady: () => true,
    token: undefined,
  });
  return createSidecarClient(sidecar, { client: clientOf(api), readiness: always });
}

/** Error at the call: FF_TEST_SDK. */
export const noSdk: DaprSdk = {
  client: async () => {
    throw frameworkError("FF_TEST_SDK", {});
  },
  stop: async () => undefined,
};

const always: Readiness = {
  isReady: true,
  why: "",
  watch: () => undefined,
  onReady: () => () => undefined,
  lost: () => undefined,
  stop: () => undefined,
};

function clientOf(server: Server): Pick<HttpClient, "dispatch" | "destroy"> {
  return {
    destroy: async () => undefined,
    dispatch({ method, path, headers = {}, body, signal, timeoutMs }, onReply, onFailure) {
      const req = openRequest({
        method,
        path,
        headers: { ...headers, host: "localhost" },
        createConnection: () => connectTo(server),
      });
      const stop = () => void req.destroy(signal?.reason);
      const timer =
        timeoutMs === undefined ? undefined : setTimeout(() => req.destroy(requestTimeout), timeoutMs);
      signal?.addEventListener("abort", stop);
      if (signal?.aborted) stop();
      const finish = (tell: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        tell();
      };
      req.once("error", (err) => finish(() => onFailure(err, true)));
      req.once("response", (res) => {
        readAll(res).then(
          (read) => finish(() => onReply({ status: res.statusCode ?? 0, headers: res.headers, body: read })),
          (err) => finish(() => onFailure(err, true)),
        );
      });
      req.end(body);
    },
  };
}

// Node's server takes any stream for a connection.
function connectTo(server: Server): Duplex {
  const [near, far] = duplexPair();
  server.emit("connection", far);
  return near;
}

async function readAll(res: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of res) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
