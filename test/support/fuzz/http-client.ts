/** Sends a request as programs do: with Node's client, on connections that are kept alive. */
import { once } from "node:events";
import { Agent, type IncomingMessage, request as openRequest } from "node:http";

import type { Draft } from "./draft";
import type { RawReply } from "./reply-reader";

export interface HttpClient {
  /** Error: no answer in time, a connection that broke twice, an answer that is no HTTP. */
  ask(port: number, draft: Draft, options: { isChunked: boolean; patience: number }): Promise<RawReply>;
  close(): void;
}

export function createHttpClient(): HttpClient {
  const agent = new Agent({ keepAlive: true });
  return {
    async ask(port, draft, options) {
      try {
        return await exchange(port, draft, { ...options, agent });
      } catch (err) {
        // RFC 9110 §9.2.2: a server may close a connection that it kept, just as the next request comes.
        if (!(err instanceof BrokenConnection && err.isReused)) throw err;
        return exchange(port, draft, { ...options, agent: false });
      }
    },
    close: () => agent.destroy(),
  };
}

class BrokenConnection extends Error {
  readonly isReused: boolean;

  constructor(err: unknown, isReused: boolean) {
    super(`the connection broke: ${(err as Error).message}`);
    this.isReused = isReused;
  }
}

interface ExchangeOptions {
  agent: Agent | false;
  isChunked: boolean;
  patience: number;
}

async function exchange(
  port: number,
  { method, path, headers, body }: Draft,
  { agent, isChunked, patience }: ExchangeOptions,
): Promise<RawReply> {
  const framing = isChunked ? ["Transfer-Encoding", "chunked"] : ["Content-Length", String(body?.length)];
  const req = openRequest({
    port,
    host: "127.0.0.1",
    agent,
    method,
    path,
    headers: ["Host", "fuzz", ...headers.flat(), ...(body ? framing : [])],
    maxHeaderSize: 1024 ** 2, // what is answered may be longer than what was asked
  });
  const timer = setTimeout(() => req.destroy(new Error(`not answered after ${patience} ms`)), patience);
  try {
    req.end(body);
    const [res] = (await once(req, "response")) as [IncomingMessage];
    req.on("error", () => undefined); // answered already: the rest of the request may be unwanted
    const parts: Buffer[] = [];
    for await (const part of res) parts.push(part as Buffer);
    return {
      status: res.statusCode ?? 0,
      headers: new Map(Object.entries(res.headers).map(([name, value]) => [name, String(value)])),
      body: Buffer.concat(parts),
    };
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    if (code !== "ECONNRESET" && code !== "EPIPE") throw err;
    throw new BrokenConnection(err, req.reusedSocket);
  } finally {
    clearTimeout(timer);
  }
}
