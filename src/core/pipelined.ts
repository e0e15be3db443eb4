/**
 * Clients that leave. A response tells it, but not one that waits for its turn on a connection with pipelined requests:
 * it has no socket yet. One listener per connection tells those.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

const waiting = new WeakMap<Socket, Set<() => void>>();

/** Calls `tell` when the client's connection is closed, or when the response is at its end. */
export function onGone(res: ServerResponse, tell: () => void): void {
  res.on("close", tell);
  if (res.socket !== null) return;
  const { socket } = res.req;
  const tellers = waiting.get(socket) ?? listen(socket);
  tellers.add(tell);
  res.on("close", () => tellers.delete(tell));
}

function listen(socket: Socket): Set<() => void> {
  const tellers = new Set<() => void>();
  waiting.set(socket, tellers);
  socket.on("close", () => {
    for (const tell of tellers) tell();
  });
  return tellers;
}
