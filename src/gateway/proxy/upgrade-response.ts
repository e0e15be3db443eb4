/** The response to a request that asks for another protocol: Node's server has let go of its connection. */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Ends the connection with the answer. */
export function responseOn(socket: Socket, req: IncomingMessage): ServerResponse {
  socket.on("error", () => undefined); // told as its close
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.on("finish", () => socket.destroySoon());
  return res;
}
