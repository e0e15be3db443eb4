/**
 * A pipelined request waits for the connection until the answers before it are out. When the client leaves, Node closes
 * the answer that has the connection and forgets those in line, and whoever waits for their end waits for ever.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

// One listener a connection, however many requests are in line on it.
const inLine = new WeakMap<Socket, Set<ServerResponse>>();

/** For a new request: its response is closed with the connection, also while it has none yet. */
export function closeWithConnection({ socket }: IncomingMessage, res: ServerResponse): void {
  if (res.socket !== null) return;
  const waiting = inLine.get(socket) ?? watch(socket);
  waiting.add(res);
  res.once("socket", () => waiting.delete(res));
}

function watch(socket: Socket): Set<ServerResponse> {
  const waiting = new Set<ServerResponse>();
  inLine.set(socket, waiting);
  socket.once("close", () => {
    for (const res of waiting) close(res);
    waiting.clear();
  });
  return waiting;
}

// As Node closes a response that has a connection.
function close(res: ServerResponse): void {
  Object.assign(res, { destroyed: true, _closed: true });
  res.emit("close");
}
