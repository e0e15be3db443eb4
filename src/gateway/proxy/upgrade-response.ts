/**
 * The response to a request that asks for another protocol: Node's server has let go of its connection, though it may
 * still owe answers to requests that came before on it.
 */
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

/** Calls `go` when all earlier requests of the connection are answered; never, when the client leaves before. */
export function inTurn(socket: Socket, go: () => void): void {
  const { _httpMessage: earlier } = socket as Socket & { _httpMessage?: ServerResponse | null };
  if (!earlier) return go();
  const onEnd = () => socket.destroy();
  socket.on("error", () => undefined); // told as its close
  socket.once("end", onEnd).read(0); // nobody reads it while it waits, so its end would not be seen
  earlier.once("close", () => {
    socket.off("end", onEnd);
    if (!socket.destroyed) inTurn(socket, go); // the next one has the socket by now
  });
}
