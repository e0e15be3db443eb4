/** After a 101: bytes both ways, until both sides are done. */
import type { Socket } from "node:net";

import type { Connection } from "./connection";
import type { ReplyHead } from "./reply-head";

const lingering = 30_000; // ms

export class Tunnel {
  readonly #connection: Connection;
  readonly #client: Socket;
  readonly #first: Buffer;
  readonly #onClosed: () => void;

  constructor(
    connection: Connection,
    { socket, first }: { socket: Socket; first: Buffer },
    onClosed: () => void,
  ) {
    this.#connection = connection;
    this.#client = socket;
    this.#first = first;
    this.#onClosed = onClosed;
  }

  /** `first` are bytes that came with the upstream's head. */
  start({ status, reason, headers, upgrade }: ReplyHead, first: Buffer): void {
    const client = this.#client;
    const connection = this.#connection;
    let text = `HTTP/1.1 ${status} ${reason}\r\n`;
    for (let index = 0; index < headers.length; index += 2)
      text += `${headers[index]}: ${headers[index + 1]}\r\n`;
    client.setTimeout(0);
    client.write(`${text}Upgrade: ${upgrade}\r\nConnection: Upgrade\r\n\r\n`, "latin1");
    if (first.length > 0) client.write(first);
    if (this.#first.length > 0) connection.write(this.#first);
    client.on("data", (chunk) => {
      if (!connection.write(chunk)) client.pause();
    });
    client.on("drain", () => connection.resume());
    client.on("end", () => connection.end());
    client.on("close", () => {
      connection.destroy();
      this.#onClosed();
    });
    client.resume();
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (!this.#client.write(this.#connection.keep(buffer, start, end))) this.#connection.pause();
  }

  onDrain(): void {
    this.#client.resume();
  }

  onUpstreamEnd(): void {
    this.#client.end();
  }

  /** What has come is still the client's, as long as it reads. */
  onBroken(): void {
    this.#client.setTimeout(lingering, () => this.#client.destroy());
    this.#client.resume().destroySoon();
  }
}
