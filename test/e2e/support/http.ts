/** HTTP clients that show what is on the wire: one whole reply, or the raw text of a connection. */
import { once } from "node:events";
import { type Agent, type IncomingHttpHeaders, request as openRequest } from "node:http";
import { connect } from "node:net";

import { withDeadline } from "../../support/wait";

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string | string[] | number>;
  /** A list is sent chunked, a part a chunk. */
  body?: string | Buffer | (string | Buffer)[] | undefined;
  /** Default: a connection of its own. */
  agent?: Agent;
  /** Milliseconds to the end of the reply. Default 30 s. */
  deadline?: number;
}

export interface Reply {
  status: number;
  statusText: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: Buffer;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests know what they asked for
  json(): any;
}

/** One request, one whole reply; rejects when the connection breaks before its end. */
export function request(url: string, options: RequestOptions = {}): Promise<Reply> {
  const { method = "GET", deadline } = options;
  return withDeadline(exchange(url, options), `${method} ${url} is answered`, deadline);
}

async function exchange(url: string, { method = "GET", headers = {}, body, agent }: RequestOptions) {
  const isChunked = Array.isArray(body);
  const length =
    body === undefined || isChunked ? {} : { "Content-Length": Buffer.byteLength(body as string) };
  const req = openRequest(url, { method, agent: agent ?? false, headers: { ...length, ...headers } });
  for (const part of isChunked ? body : body === undefined ? [] : [body]) req.write(part);
  req.end();
  const [res] = await once(req, "response");
  req.on("error", () => undefined); // answered already: what fails after that is not the test's business
  const parts: Buffer[] = [];
  for await (const part of res) parts.push(part);
  const bytes = Buffer.concat(parts);
  return {
    status: res.statusCode,
    statusText: res.statusMessage,
    headers: res.headers,
    rawHeaders: res.rawHeaders,
    body: bytes,
    text: bytes.toString("utf8"),
    json: () => JSON.parse(bytes.toString("utf8")),
  };
}

/** POSTs a value as JSON. */
export function postJson(url: string, value: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const all = { "Content-Type": "application/json", ...headers };
  return request(url, { method: "POST", headers: all, body: JSON.stringify(value) });
}

/** Writes to a connection and resolves with all that came back when the server closes it. */
export function converse(port: number, text: string | Buffer): Promise<string> {
  return withDeadline(readToEnd(port, text), "the server closes the connection");
}

async function readToEnd(port: number, text: string | Buffer): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  socket.write(text);
  let received = "";
  socket.on("data", (part) => {
    received += part;
  });
  socket.on("error", () => undefined); // a reset is an end too: what came before it counts
  await once(socket, "close");
  return received;
}

/** Resolves when nobody accepts connections on the port any more. */
export async function refusal(port: number): Promise<void> {
  const isRefused = async () => {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return false;
    } catch (err) {
      return (err as NodeJS.ErrnoException).code === "ECONNREFUSED";
    } finally {
      socket.destroy();
    }
  };
  let isOver = false;
  const attempts = async () => {
    while (!isOver && !(await isRefused()));
  };
  try {
    await withDeadline(attempts(), `port ${port} refuses connections`);
  } finally {
    isOver = true;
  }
}
