/** Connections whose client has sent several requests at once: their responses wait for each other. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

const waiting = new WeakMap<Socket, Set<ServerResponse>>();

/**
 * Makes `close` come for a response that has not had its turn when the connection closes. Node 20 and 22 say it to none
 * but the first, and what counts on it (a place, the signal) would be held for ever. To be called as a request arrives.
 */
export function followPipelined({ socket }: IncomingMessage, res: ServerResponse): void {
  if (res.socket !== null) return; // its turn has come: the common case
  const behind = waiting.get(socket) ?? followConnection(socket);
  behind.add(res);
  res.once("close", () => behind.delete(res));
}

/**
 * Closes the connection of a response after its answer, or after the one that is under way behind it. A request behind
 * it whose body has not come whole gets no answer: nothing more is going to be read.
 */
export function endConnection(res: ServerResponse): void {
  res.shouldKeepAlive = false; // said in the answer, where that can still be
  if (!res.writableFinished) return;
  const { socket } = res.req;
  const open = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage;
  if (!open?.req.complete) return void socket.destroySoon();
  if (!open.headersSent) open.shouldKeepAlive = false;
  else open.once("finish", () => socket.destroySoon());
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
