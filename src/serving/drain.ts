/** The end of a server: what is in flight is finished, and no client sends into a closed connection. */
import type { Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";

import { log } from "../core/log";

/** Milliseconds in which a kept-alive connection may still send a request, which is answered with `Connection: close`. */
const lingering = 200;
const idleCheck = 50; // ms

/**
 * Watches the connections of a server from its beginning; the returned function stops accepting, finishes what is in
 * flight, and cuts what is left after the grace period (seconds).
 */
export function prepareDrain(server: Server): (gracePeriod: number) => Promise<void> {
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });

  return (gracePeriod) =>
    new Promise((resolve) => {
      announceClose(server, connections);
      // A connection kept alive becomes idle when its request ends, which Node does not announce. One that was opened
      // ahead and has said nothing yet (browsers, pools) is not idle in Node's eyes.
      const closeIdle = () => {
        server.closeIdleConnections();
        for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
      };
      let idle: NodeJS.Timeout;
      const linger = setTimeout(() => {
        closeIdle();
        idle = setInterval(closeIdle, idleCheck);
      }, lingering);
      const deadline = setTimeout(() => {
        log.warn(`The grace period is over: ${connections.size} connections are cut.`);
        for (const socket of connections) socket.destroy();
      }, gracePeriod * 1000);
      // Not http's own close, which cuts idle connections at once: a client may be sending on one just now.
      NetServer.prototype.close.call(server, () => {
        clearTimeout(linger);
        clearInterval(idle);
        clearTimeout(deadline);
        resolve();
      });
    });
}

// RFC 9112 §9.6: the last answer on a connection says so.
function announceClose(server: Server, connections: ReadonlySet<Socket>): void {
  for (const socket of connections) {
    const { _httpMessage: open } = socket as Socket & { _httpMessage?: ServerResponse | null };
    if (open && !open.headersSent) open.shouldKeepAlive = false;
  }
  server.prependListener("request", (_req, res) => {
    res.shouldKeepAlive = false;
  });
}
