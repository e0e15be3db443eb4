/** A server of HTTP/1.1 with the limits that all of ours have. It does not listen yet. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";

import { announceKeepAlive, closeIdleConnections } from "./keep-alive";
import { serverTimeouts } from "./timeouts";

export function createHttpServer(
  options: ServerOptions,
  handle: (req: IncomingMessage, res: ServerResponse) => void,
): Server {
  const server = createServer({ ...serverTimeouts, ...options }, (req, res) => {
    announceKeepAlive(res);
    handle(req, res);
  });
  server.setTimeout(0); // a function may take its time: deadlines are the guard's business
  server.maxHeadersCount = 0; // above 1,000 Node leaves them out, a body's length among them, or refuses; bytes are bounded anyway
  closeIdleConnections(server);
  return server;
}
