/** The port rule: a default that is taken means the next free port, said aloud; an explicit one is an error; 0 is any. */
import type { Server } from "node:net";

import { frameworkError, messageOf } from "./errors";

export interface PortWish {
  port: number;
  /** True when somebody asked for this very port. */
  explicit: boolean;
  /** The flag that chooses it, for messages. */
  flag: string;
}

export interface PortOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Told when the default was taken. */
  onMoved?: (from: number, to: number, flag: string) => void;
}

const attempts = 100;

/** Listens by the port rule and returns the port. Errors: FF_PORT_IN_USE, FF_LISTEN_FAILED. */
export async function listenByRule(
  server: Server,
  { port, explicit, flag }: PortWish,
  { host = "127.0.0.1", onMoved }: PortOptions = {},
): Promise<number> {
  for (let candidate = port; ; candidate++) {
    try {
      const taken = await listen(server, host, candidate);
      if (candidate !== port) onMoved?.(port, taken, flag);
      return taken;
    } catch (err) {
      const { code } = err as NodeJS.ErrnoException;
      if (code !== "EADDRINUSE") {
        throw frameworkError("FF_LISTEN_FAILED", {
          address: `${host}:${candidate}`,
          why: code ?? messageOf(err),
        });
      }
      if (explicit || candidate - port >= attempts || candidate === 65535)
        throw frameworkError("FF_PORT_IN_USE", { port: candidate, flag });
    }
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (err: Error) => reject(err);
    server.once("error", onError);
    server.listen({ host, port }, () => {
      server.off("error", onError);
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}
