/** The end of a server: what is in flight is finished, and no client sends into a closed connection. */
import type { Server, ServerResponse } from "node:http";
import type { Server as NetServer, Socket } from "node:net";

import { abortAll } from "../core/invocation";
import { log } from "../core/log";
import { replyProblem } from "../core/reply";
import { failureHeaders } from "../signatures/reply";

/** Milliseconds in which a kept-alive connection may still send a request, which is answered with `Connection: close`. */
const lingering = 200;
const idleCheck = 50; // ms

/** Event of the server: a socket is no HTTP/1.1 any more. Somebody else ends it, and the drain waits for that. */
export const handedOver = "handedOver";

export interface Drain {
  /**
   * Stops accepting, finishes what is in flight, and cuts what is left after the grace period (seconds). After a crash,
   * which may happen meanwhile, those that are cut get a 500 first.
   */
  finish(gracePeriod: number, options: FinishOptions): Promise<void>;
  /** Answers every open request 500, where nothing is sent yet; works in the last moment of the process too. */
  failOpen(why: string): void;
}

export interface FinishOptions {
  isCrashed: () => boolean;
  /** Answers what is cut and has no answer yet. */
  onLate?: ((res: ServerResponse) => void) | undefined;
  /** Ends the connections that were handed over. */
  onCut?: (() => void) | undefined;
}

/** Watches the connections of a server from its beginning. */
export function prepareDrain(server: Server): Drain {
  const connections = new Set<Socket>();
  const handed = new Set<Socket>();
  const keep = (open: Set<Socket>, socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  };
  server.on("connection", (socket) => keep(connections, socket));
  server.on(handedOver, (socket: Socket) => {
    connections.delete(socket);
    keep(handed, socket);
  });

  return {
    finish: (gracePeriod, options) => finish(server, { connections, handed }, gracePeriod, options),
    failOpen: (why) => failOpen(connections, why),
  };
}

function counted(connections: number): string {
  return connections === 1 ? "1 connection is" : `${connections} connections are`;
}

function failOpen(connections: ReadonlySet<Socket>, why: string): void {
  for (const res of openResponses(connections)) {
    if (res.headersSent) continue;
    res.shouldKeepAlive = false;
    replyProblem(res, 500, why, { headers: failureHeaders("crash") });
  }
}

async function finish(
  server: Server,
  { connections, handed }: Record<"connections" | "handed", ReadonlySet<Socket>>,
  gracePeriod: number,
  { isCrashed, onLate, onCut }: FinishOptions,
): Promise<void> {
  announceClose(server, connections);
  await untilNoneWaits(server);
  const deadline = setTimeout(() => {
    log.warn(`The grace period is over: ${counted(connections.size + handed.size)} cut.`);
    onCut?.();
    abortAll(new Error("The process ends: the grace period is over."));
    if (onLate) for (const res of openResponses(connections)) onLate(res);
    else if (isCrashed()) failOpen(connections, "The process has crashed.");
    for (const socket of connections) socket.destroySoon(); // what is written already still goes out
  }, gracePeriod * 1000);
  const isClosed = new Promise<void>((resolve) => stopAccepting(server, resolve));
  const leaveIdle = closeIdle(server, connections);
  await isClosed;
  // The server counts none that somebody else has accepted.
  await untilAllClosed(connections);
  await untilAllClosed(handed);
  leaveIdle();
  clearTimeout(deadline);
}

// A connection kept alive becomes idle when its request ends, which Node does not announce. One that was opened ahead
// and has said nothing yet (browsers, pools) is not idle in Node's eyes. A timer that is late runs before the event loop
// has read what came meanwhile, an immediate after that.
function closeIdle(server: Server, connections: ReadonlySet<Socket>): () => void {
  const closeNow = () => {
    server.closeIdleConnections();
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  };
  const close = () => setImmediate(closeNow);
  let idle: NodeJS.Timeout;
  const linger = setTimeout(() => {
    close();
    idle = setInterval(close, idleCheck);
  }, lingering);
  return () => {
    clearTimeout(linger);
    clearInterval(idle);
  };
}

const acceptAtMost = 500; // ms; new ones may come without end
const quietRounds = 3; // the first may end before its turn of asking the kernel

/** Accepts the connections that the kernel holds, which would be reset. Node accepts one a round of the event loop. */
export async function untilNoneWaits(server: NetServer): Promise<void> {
  let quiet = 0;
  const note = () => {
    quiet = 0;
  };
  server.on("connection", note);
  for (const end = performance.now() + acceptAtMost; quiet < quietRounds && performance.now() < end; ) {
    quiet++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  server.off("connection", note);
}

// http's own close cuts idle connections at once, though a client may be sending on one just now. The one of net cuts
// none, and leaves the timer that looks at the connections behind: it holds the server for ever.
function stopAccepting(server: Server, closed: () => void): void {
  const { closeIdleConnections } = server;
  server.closeIdleConnections = () => undefined;
  server.close(closed);
  server.closeIdleConnections = closeIdleConnections;
}

async function untilAllClosed(connections: ReadonlySet<Socket>): Promise<void> {
  for (const socket of connections) await new Promise((closed) => socket.once("close", closed));
}

// RFC 9112 §9.6: the last answer on a connection says so.
function announceClose(server: Server, connections: ReadonlySet<Socket>): void {
  for (const res of openResponses(connections)) if (!res.headersSent) res.shouldKeepAlive = false;
  server.prependListener("request", (_req, res) => {
    res.shouldKeepAlive = false;
  });
}

function* openResponses(connections: ReadonlySet<Socket>): Iterable<ServerResponse> {
  for (const socket of connections) {
    const { _httpMessage: res } = socket as Socket & { _httpMessage?: ServerResponse | null };
    if (res) yield res;
  }
}
