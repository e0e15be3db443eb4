/** Limits of every connection, in one place; docs/configuration.md explains them. */
import type { ServerOptions } from "node:http";

/** Milliseconds. Node's own values, stated so that a change of Node's is no change of ours. */
export const serverTimeouts = {
  headersTimeout: 60_000, // a client that sends its headers byte by byte (slowloris)
  requestTimeout: 300_000, // and its body
  keepAliveTimeout: 0, // see `keep-alive`
} satisfies ServerOptions;

/** Milliseconds that a connection may be idle between two requests. */
export const keepAliveTimeout = 5_000;
