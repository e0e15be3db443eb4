/** The end of a connection after an answer. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

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
