/**
 * Closes connections on which nothing happens between two requests. Node's own `keepAliveTimeout` sets a timer after
 * every answer and clears it at the next request, which is half a microsecond of 14;
 * one look a second at all connections is nothing.
 */
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { keepAliveTimeout } from "./timeouts";

const lookEvery = 1_000; // ms

interface Idle {
  /** Bytes of both directions at the last look. */
  moved: number;
  /** Looks since then that found the connection as it was. */
  looks: number;
}

/** Ends them 0 to 1 s after the timeout. A server that has a `keepAliveTimeout` of Node's is left alone. */
export function closeIdleConnections(server: Server, timeout: number = keepAliveTimeout): void {
  const connections = new Map<Socket, Idle>();
  let clock: NodeJS.Timeout | undefined;

  const look = () => {
    if (server.keepAliveTimeout > 0) return;
    for (const [socket, idle] of connections) {
      const { bytesRead, bytesWritten } = socket;
      const moved = bytesRead + bytesWritten;
      if (moved !== idle.moved || bytesWritten === 0 || !isBetweenRequests(socket)) {
        idle.moved = moved;
        idle.looks = 0;
      } else if (++idle.looks * lookEvery >= timeout) socket.destroy();
    }
  };

  server.on("connection", (socket) => {
    connections.set(socket, { moved: 0, looks: 0 });
    clock ??= setInterval(look, lookEvery).unref();
    socket.once("close", () => {
      connections.delete(socket);
      if (connections.size > 0) return;
      clearInterval(clock);
      clock = undefined;
    });
  });
}

// Before the first answer it is the headers' timeout that counts, and what is no HTTP/1.1 any more has no parser.
function isBetweenRequests(socket: Socket): boolean {
  const { parser, _httpMessage } = socket as Socket & {
    parser?: object | null;
    _httpMessage?: object | null;
  };
  return Boolean(parser) && !_httpMessage;
}

/** Lets the answer say how long the connection may be idle (`Keep-Alive: timeout=5`), as Node's own setting does. */
export function announceKeepAlive(res: ServerResponse): void {
  (res as ServerResponse & { _keepAliveTimeout: number })._keepAliveTimeout = keepAliveTimeout;
}
