/** A real app behind a sidecar: node:http, answering what the test says. */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";

import { until } from "./wait";

export interface AppCall {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface AppReply {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
}

export interface App extends EventEmitter {
  readonly origin: string;
  readonly port: number;
  readonly calls: AppCall[];
  /** Calls of one method and path. */
  callsTo(method: string, path: string): AppCall[];
  count(method: string, path: string, wanted: number): Promise<void>;
  stop(): Promise<void>;
}

/** As a sidecar it is healthy, which is not among its calls; with `isReady: false` the test answers for that too. */
export async function startApp(
  answer: (call: AppCall) => AppReply | undefined | Promise<AppReply | undefined>,
  port = 0,
  { isReady = true } = {},
): Promise<App> {
  const calls: AppCall[] = [];
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const call = {
      method: req.method ?? "",
      url: req.url ?? "",
      headers: req.headers,
      body: Buffer.concat(chunks).toString("utf8"),
    };
    // What a framework asks before its first call, and again when the sidecar was away.
    if (isReady && call.url === "/v1.0/healthz/outbound") return void res.writeHead(204).end();
    calls.push(call);
    app.emit("call", call);
    const { status = 200, headers, body } = (await answer(call)) ?? { status: 404 };
    res
      .writeHead(status, { "Content-Type": "application/json", ...headers })
      .end(body === undefined ? "" : JSON.stringify(body));
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { port: number };

  const app: App = Object.assign(new EventEmitter().setMaxListeners(0), {
    port: address.port,
    origin: `http://127.0.0.1:${address.port}`,
    calls,
    callsTo: (method: string, path: string) =>
      calls.filter((call) => call.method === method && call.url === path),
    count: (method: string, path: string, wanted: number) =>
      until(() => app.callsTo(method, path).length >= wanted, app, "call", `${wanted} × ${method} ${path}`),
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  });
  return app;
}
