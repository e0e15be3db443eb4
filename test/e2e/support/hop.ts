/** A hop in front of upstreams: Node's own server, or a socket that says whatever a test wants. */
import { EventEmitter } from "node:events";
import { createServer, type RequestListener, type ServerOptions } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createNetServer,
  type Server,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { createProxy, type Outcome, type ProxyOptions, type Target } from "../../../src/gateway/proxy/proxy";
import { until } from "../../support/wait";

export interface Hop {
  port: number;
  url: string;
  /** What became of the requests, in the order of their ends. */
  outcomes: Outcome[];
  /** Resolves with the outcomes when there are so many. */
  ended(count: number): Promise<Outcome[]>;
}

/** A server whose every request goes one hop. */
export async function startHop(
  t: TestContext,
  target: Target | ((url: string) => Target),
  {
    server: serverOptions = {},
    listen,
    ...options
  }: ProxyOptions & { server?: ServerOptions; listen?: string } = {},
): Promise<Hop> {
  const proxy = createProxy(options);
  const outcomes: Outcome[] = [];
  const news = new EventEmitter();
  const targetOf = (url = "") => ({
    ...(typeof target === "function" ? target(url) : target),
    onDone: (outcome: Outcome) => {
      outcomes.push(outcome);
      news.emit("outcome");
    },
  });
  const forward: RequestListener = (req, res) => proxy.forward(req, res, targetOf(req.url));
  const server = createServer(serverOptions, forward);
  server.on("checkContinue", forward);
  server.on("upgrade", (req, socket, first) =>
    proxy.upgrade(req, socket as Socket, first, targetOf(req.url)),
  );
  await listening(server, listen);
  t.after(async () => {
    proxy.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await proxy.close();
  });
  return {
    port: portOf(server),
    url: `http://127.0.0.1:${portOf(server)}`,
    outcomes,
    async ended(count) {
      await until(() => outcomes.length >= count, news, "outcome", `${count} requests are over`);
      return outcomes;
    },
  };
}

/** An upstream on a free port; gives its address. */
export async function startUpstream(t: TestContext, handle: RequestListener, path?: string): Promise<string> {
  const server = createServer(handle);
  server.maxHeadersCount = 0; // the newest Nodes refuse more than 1,000
  await listening(server, path);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return addressOf(server, path);
}

export interface RawUpstream {
  address: string;
  /** All it got, a text per connection, bytes as characters. */
  received: string[];
  /** Emits "news" when something came or was closed. */
  news: EventEmitter;
  /** Resolves when a connection has got the text. */
  gets(text: string): Promise<void>;
  /** Resolves when so many connections are closed. */
  closes(count: number): Promise<void>;
}

/** An upstream that speaks by hand: called with each connection and its number, and with what it got so far. */
export async function startRawUpstream(
  t: TestContext,
  answer: (socket: Socket, received: string, connection: number) => void,
): Promise<RawUpstream> {
  const received: string[] = [];
  const news = new EventEmitter().setMaxListeners(0);
  const sockets = new Set<Socket>();
  let closed = 0;
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    const connection = received.push("") - 1;
    sockets.add(socket.setEncoding("latin1"));
    socket.on("data", (text) => {
      const all = `${received[connection]}${text}`;
      received[connection] = all;
      answer(socket, all, connection);
      news.emit("news");
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => undefined); // the hop may cut it
    socket.on("close", () => {
      closed++;
      news.emit("news");
    });
  });
  await listening(server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    address: addressOf(server),
    received,
    news,
    gets: (text) =>
      until(() => received.some((all) => all.includes(text)), news, "news", `the upstream gets "${text}"`),
    closes: (count) => until(() => closed >= count, news, "news", `${count} connections are closed`),
  };
}

/** An upstream that sends one text in answer to every head. */
export function startEcho(t: TestContext, reply: string, { closes = false } = {}): Promise<RawUpstream> {
  const answered: number[] = [];
  return startRawUpstream(t, (socket, received, connection) => {
    const heads = received.split("\r\n\r\n").length - 1;
    for (let count = answered[connection] ?? 0; count < heads; count++) socket.write(reply, "latin1");
    answered[connection] = heads;
    if (closes) socket.end();
  });
}

/** An address where nobody listens. */
export async function nobody(): Promise<string> {
  const server = createNetServer();
  await listening(server);
  const address = addressOf(server);
  await new Promise((resolve) => server.close(resolve));
  return address;
}

/** A connection to the hop that writes and waits for texts. */
export function openClient(t: TestContext, port: number) {
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  const news = new EventEmitter();
  const client = { socket, received: "", isClosed: false };
  socket.on("data", (text) => {
    client.received += text;
    news.emit("news");
  });
  socket.on("error", () => undefined); // a cut connection is what some tests want
  socket.on("close", () => {
    client.isClosed = true;
    news.emit("news");
  });
  t.after(() => socket.destroy());
  return Object.assign(client, {
    write: (text: string) => void socket.write(text, "latin1"),
    gets: (text: string) =>
      until(() => client.received.includes(text), news, "news", `the client gets "${text}"`),
    closed: () => until(() => client.isClosed, news, "news", "the client's connection is closed"),
  });
}

/** Writes a text and resolves with all that came back when the hop closes the connection; bytes as characters. */
export async function ask(t: TestContext, port: number, text: string): Promise<string> {
  const client = openClient(t, port);
  client.write(text);
  await client.closed();
  return client.received;
}

/** Of a UNIX socket for this test. */
export function socketPath(): string {
  return join(tmpdir(), `hop-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
}

function listening(server: Server, path?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    if (path === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(path, resolve);
  });
}

function addressOf(server: Server, path?: string): string {
  return path === undefined ? `tcp:127.0.0.1:${portOf(server)}` : `unix:${path}`;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "string" ? 0 : (address as AddressInfo).port;
}
