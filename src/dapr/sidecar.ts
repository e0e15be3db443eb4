/** Where the sidecar is, and what it wants to see. */
import { isIPv6 } from "node:net";

import { frameworkError } from "../core/errors";

export interface Sidecar {
  /** Such as `http://127.0.0.1:3500`. */
  origin: string;
  host: string;
  port: number;
  /** Of its gRPC API, which the framework does not call; users see it on ctx. */
  grpcPort: string;
  /** Goes with every request as `dapr-api-token`. */
  token: string | undefined;
}

/**
 * DAPR_HTTP_ENDPOINT, else DAPR_HOST (a scheme is allowed; alias DAPR_SIDECAR_IP; default 127.0.0.1) with
 * DAPR_HTTP_PORT (default 3500). DAPR_API_TOKEN is the token. DAPR_GRPC_PORT (default 50001) is taken as it is.
 */
export function sidecarFrom(env: NodeJS.ProcessEnv): Sidecar {
  const url = env.DAPR_HTTP_ENDPOINT
    ? parseUrl("DAPR_HTTP_ENDPOINT", env.DAPR_HTTP_ENDPOINT)
    : urlFromHostAndPort(env);
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  return {
    origin: url.origin,
    host: url.hostname,
    port,
    grpcPort: env.DAPR_GRPC_PORT || "50001",
    token: env.DAPR_API_TOKEN || undefined,
  };
}

function urlFromHostAndPort(env: NodeJS.ProcessEnv): URL {
  const name = env.DAPR_HOST ? "DAPR_HOST" : "DAPR_SIDECAR_IP";
  const host = env.DAPR_HOST || env.DAPR_SIDECAR_IP || "127.0.0.1";
  const url = parseUrl(
    name,
    /^https?:\/\//.test(host) ? host : `http://${isIPv6(host) ? `[${host}]` : host}`,
  );
  if (url.port !== "") return url;
  const port = env.DAPR_HTTP_PORT || "3500";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535 || port === "0") {
    throw frameworkError("FF_OPTION_INVALID", {
      flag: "DAPR_HTTP_PORT",
      value: port,
      allowed: "a port from 1 to 65535",
    });
  }
  url.port = port;
  return url;
}

function parseUrl(name: string, value: string): URL {
  if (/^https?:\/\//.test(value) && URL.canParse(value)) return new URL(value);
  throw frameworkError("FF_OPTION_INVALID", { flag: name, value, allowed: "an http or https address" });
}
