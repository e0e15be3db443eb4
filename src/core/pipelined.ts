/** Connections whose client has sent several requests at once: their responses wait for each other. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

const waiting = new WeakMap<Socket, Set<ServerResponse>>();

/**
 * Makes `close` come for a response that has not had its turn when the connection closes. Node 20 and 22 say it to none
 * but the first, and what counts on it (a place, a lease, the signal) would be held for ever. To be called as a request
 * arrives; twice is fine.
 */
export function followPipelined(res: ServerResponse): void {
  if (res.socket !== null) return; // its turn has come: the common case
  const { socket } = res.req;
  const behind = waiting.get(socket) ?? followConnection(socket);
  if (behind.has(res)) return;
  behind.add(res);
  res.once("close", () => behind.delete(res));
}

// One listener, however many wait.
function followConnection(socket: Socket): Set<ServerResponse> {
  const behind = new Set<ServerResponse>();
  waiting.set(socket, behind);
  socket.once("close", () => behind.forEach(close));
  return behind;
}

// As Node does it itself; `closed` reads the second field.
function close(res: ServerResponse): void {
  if (res.closed) return;
  Object.assign(res, { destroyed: true, _closed: true });
  res.emit("close");
}
