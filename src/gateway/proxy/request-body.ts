/** The body of a request on its way up, with back-pressure; what was sent is kept while the request may be repeated. */
import type { IncomingMessage } from "node:http";

import type { Connection } from "./connection";
import { trailerPairs } from "./fields";

/** Bytes of a body that are kept for a second try. */
const mostKept = 64 * 1024;

export class RequestBody {
  readonly #req: IncomingMessage;
  readonly #isChunked: boolean;
  #kept: Buffer[] | undefined = [];
  #keptSize = 0;
  #connection: Connection | undefined;
  #isStarted = false;
  #isEnded = false;

  constructor(req: IncomingMessage, { framing }: { framing: "length" | "chunked" }) {
    this.#req = req;
    this.#isChunked = framing === "chunked";
  }

  /** It can be sent from its start. */
  get isRepeatable(): boolean {
    return !this.#isStarted || this.#kept !== undefined;
  }

  /** All of it was sent. */
  get isSent(): boolean {
    return this.#isEnded;
  }

  /** Sends it, from its start. */
  sendTo(connection: Connection): void {
    this.#connection = connection;
    for (const chunk of this.#kept ?? []) this.#write(connection, chunk);
    if (this.#isEnded) this.#writeEnd(connection);
    else if (this.#isStarted) this.#req.resume();
    else this.#start();
  }

  /** The connection takes more. */
  onDrain(): void {
    if (!this.#isEnded) this.#req.resume();
  }

  /** The connection is gone; the client waits. */
  detach(): void {
    this.#connection = undefined;
    if (this.#isStarted && !this.#isEnded) this.#req.pause();
  }

  /** It is sent once: nothing of it is kept for another try. */
  forget(): void {
    this.#kept = undefined;
  }

  /** Nobody wants the rest: what the client still sends is thrown away. */
  discard(): void {
    this.#connection = undefined;
    this.#kept = undefined;
    if (!this.#isEnded) this.#req.resume();
  }

  #start(): void {
    this.#isStarted = true;
    this.#req.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#req.on("end", () => {
      this.#isEnded = true;
      if (this.#connection) this.#writeEnd(this.#connection);
    });
  }

  #take(chunk: Buffer): void {
    this.#keptSize += chunk.length;
    if (this.#keptSize > mostKept) this.#kept = undefined;
    this.#kept?.push(chunk);
    if (this.#connection && !this.#write(this.#connection, chunk)) this.#req.pause();
  }

  #write(connection: Connection, chunk: Buffer): boolean {
    if (!this.#isChunked) return connection.write(chunk);
    connection.cork();
    connection.write(`${chunk.length.toString(16)}\r\n`);
    connection.write(chunk);
    const hasRoom = connection.write("\r\n");
    connection.uncork();
    return hasRoom;
  }

  #writeEnd(connection: Connection): void {
    if (!this.#isChunked) return;
    const lines = trailerPairs(this.#req.rawTrailers).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`0\r\n${lines.join("")}\r\n`);
  }
}
