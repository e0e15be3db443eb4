/** The answer to a connection that no worker can serve. */
import type { Socket } from "node:net";

const text = "No worker is ready.\n";
const reply = [
  "HTTP/1.1 503 Service Unavailable",
  "Retry-After: 1",
  "Connection: close",
  "Content-Type: text/plain; charset=utf-8",
  "X-Content-Type-Options: nosniff",
  `Content-Length: ${text.length}`,
  "",
  text,
].join("\r\n");

const patience = 1_000; // ms

/** 503, whatever it asks. */
export function refuseConnection(socket: Socket): void {
  socket.on("error", () => socket.destroy());
  socket.end(reply);
  socket.resume(); // what is not read would reset the connection, and the answer with it
  socket.once("end", () => socket.destroy());
  setTimeout(() => socket.destroy(), patience).unref();
}
