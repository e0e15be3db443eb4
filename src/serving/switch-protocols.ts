/** HTTP/1.1 and HTTP/2 in clear text on one port: the first bytes of a connection say which it is (RFC 9113 §3.4). */
import type { Server } from "node:http";
import type { Socket } from "node:net";

import { handedOver } from "./drain";
import { serverTimeouts } from "./timeouts";

/** No method of HTTP/1.1 begins with these bytes of HTTP/2's preface. */
const preface = Buffer.from("PRI");

/** Hands connections that begin with HTTP/2 to `onHttp2`, with nothing read of them; all others go on as before. */
export function switchProtocols(server: Server, onHttp2: (socket: Socket) => void): void {
  const onHttp1 = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) =>
    readStart(socket, (isHttp2) => {
      if (isHttp2) {
        server.emit(handedOver, socket);
        return onHttp2(socket);
      }
      for (const listener of onHttp1) listener.call(server, socket);
      process.nextTick(() => socket.resume()); // for the bytes that were put back
    }),
  );
}

/** Calls `decide` when three bytes are there. A connection that says nothing ends as one without a request does. */
function readStart(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let start: Buffer = Buffer.alloc(0);
  const patience = setTimeout(() => socket.destroy(), serverTimeouts.headersTimeout).unref();
  const onData = (chunk: Buffer) => {
    start = start.length === 0 ? chunk : Buffer.concat([start, chunk]);
    const isHttp2 = start.subarray(0, preface.length).equals(preface.subarray(0, start.length));
    if (isHttp2 && start.length < preface.length) return;
    finish();
    socket.pause();
    socket.unshift(start);
    decide(isHttp2);
  };
  const onEnd = () => void socket.end(); // a probe that looks whether the port is open
  const ignore = () => undefined; // `close` comes too
  const finish = () => {
    clearTimeout(patience);
    socket.off("data", onData).off("end", onEnd).off("error", ignore).off("close", finish);
  };
  socket.on("data", onData).on("end", onEnd).on("error", ignore).on("close", finish);
}
