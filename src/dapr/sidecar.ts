/** Where the sidecar is, and what it wants to see. */

export interface Sidecar {
  /** Such as `http://127.0.0.1:3500`. */
  origin: string;
  host: string;
  port: number;
  /** Goes with every request as `dapr-api-token`. */
  token: string | undefined;
}

/**
 * DAPR_HTTP_ENDPOINT, else DAPR_HOST (a scheme is allowed; alias DAPR_SIDECAR_IP; default 127.0.0.1) with
 * DAPR_HTTP_PORT (default 3500). DAPR_API_TOKEN is the token.
 */
export function sidecarFrom(env: NodeJS.ProcessEnv): Sidecar {
  const stated = env.DAPR_HOST || env.DAPR_SIDECAR_IP || "127.0.0.1";
  const address = /^https?:\/\//.test(stated)
    ? stated
    : `http://${isBareIpv6(stated) ? `[${stated}]` : stated}`;
  const url = new URL(env.DAPR_HTTP_ENDPOINT || address);
  if (!env.DAPR_HTTP_ENDPOINT && url.port === "") url.port = env.DAPR_HTTP_PORT || "3500";
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  return { origin: url.origin, host: url.hostname, port, token: env.DAPR_API_TOKEN || undefined };
}

function isBareIpv6(host: string): boolean {
  return host.includes("::") && !host.startsWith("[");
}
