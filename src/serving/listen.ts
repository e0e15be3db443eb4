/** Where a server listens. */
import type { AddressInfo, Server } from "node:net";

import { frameworkError, messageOf } from "../core/errors";
import { logError } from "../core/log";
import type { ParsedFlags } from "../core/read-flags";
import type { FunctionContext } from "../functions/types";

export type ListenAddress = { path: string } | { host: string | undefined; port: number };

/** Host and port of the flags; the port of the context when the flags name none. */
export function addressFrom(
  { values, explicit }: Pick<ParsedFlags, "values" | "explicit">,
  context: FunctionContext | undefined,
): ListenAddress {
  const contextPort = context?.port ? Number(context.port) : undefined;
  return {
    // "::" is Node's own default, which falls back to IPv4 where there is no IPv6.
    host: values.host === "::" ? undefined : values.host,
    port: explicit.has("port") ? values.port : (contextPort ?? values.port),
  };
}

/** Errors: FF_PORT_IN_USE, FF_LISTEN_FAILED. */
export function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (err: NodeJS.ErrnoException) => reject(listenError(err, address));
    server.once("error", onError);
    server.once("listening", () => {
      server.off("error", onError).on("error", logError);
      resolve();
    });
    server.listen(address);
  });
}

function listenError(err: NodeJS.ErrnoException, address: ListenAddress): Error {
  if ("port" in address && err.code === "EADDRINUSE")
    return frameworkError("FF_PORT_IN_USE", { port: address.port });
  const name = "path" in address ? address.path : `${address.host ?? "::"}:${address.port}`;
  return frameworkError("FF_LISTEN_FAILED", { address: name, why: err.code ?? messageOf(err) });
}

/** The port, and the address as `unix:PATH` or `tcp:HOST:PORT`. */
export function addressOf(server: Server): { port: number; address: string } {
  const address = server.address() as AddressInfo | string;
  if (typeof address === "string") return { port: 0, address: `unix:${address}` };
  return { port: address.port, address: `tcp:${address.address}:${address.port}` };
}
