/** Connections between two requests: how long they stay, and what the answer says of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { createHttpServer } from "../../../src/serving/http-server";
import { closeIdleConnections } from "../../../src/serving/keep-alive";

const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const hello = (_req: IncomingMessage, res: ServerResponse) => res.end("hello");

/** A server that ends a connection after 1 to 2 s. */
async function open(t: TestContext, handle = hello as (req: IncomingMessage, res: ServerResponse) => void) {
  const server = createHttpServer({}, handle);
  closeIdleConnections(server, 1_000);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

function connectTo(t: TestContext, server: Server) {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => socket.destroy());
  const seen = { text: "", ended: undefined as number | undefined };
  socket.on("data", (bytes) => {
    seen.text += bytes;
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    seen.ended = performance.now();
  });
  return { socket, seen };
}

const isOpen = (socket: Socket) => !socket.destroyed && !socket.readableEnded;

describe("a connection", { concurrency: true }, () => {
  test("is closed when nothing has come for the time after an answer", async (t) => {
    const { socket, seen } = connectTo(t, await open(t));
    const began = performance.now();
    socket.write(request);
    await once(socket, "close");

    const ended = seen.ended as number;
    assert.match(seen.text, /^HTTP\/1\.1 200 OK\r\n.*hello$/s);
    assert.ok(ended - began > 900, `after ${ended - began} ms`);
  });

  test("stays while requests come", async (t) => {
    const { socket, seen } = connectTo(t, await open(t));
    for (let count = 1; count <= 5; count++) {
      socket.write(request);
      await setTimeout(700);
      assert.equal(seen.text.match(/hello/g)?.length, count);
    }
    assert.ok(isOpen(socket));
  });

  test("stays while the answer is on its way, however long nothing is written", async (t) => {
    const server = await open(t, (_req, res) => {
      res.write("first");
      void setTimeout(3_500).then(() => res.end("last"));
    });
    const { socket, seen } = connectTo(t, server);
    socket.write(request);
    await setTimeout(4_000);

    assert.match(seen.text, /first.*last/s);
  });

  test("stays before its first request, which is the business of another timeout", async (t) => {
    const { socket, seen } = connectTo(t, await open(t));
    await setTimeout(3_500);
    assert.ok(isOpen(socket));

    socket.write("GET / HTTP/1.1\r\n"); // begun, and not ended
    await setTimeout(3_500);
    assert.ok(isOpen(socket));

    socket.write("Host: localhost\r\n\r\n");
    await once(socket, "data");
    assert.match(seen.text, /hello$/);
  });

  test("stays when it is no HTTP any more", async (t) => {
    const server = await open(t);
    server.on("upgrade", (_req, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n");
    });
    const { socket } = connectTo(t, server);
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: words\r\n\r\n");
    await once(socket, "data");
    await setTimeout(3_500);

    assert.ok(isOpen(socket));
    socket.destroy();
  });

  test("is Node's business where the server has a keepAliveTimeout", async (t) => {
    const server = await open(t);
    server.keepAliveTimeout = 60_000;
    const { socket } = connectTo(t, server);
    socket.write(request);
    await setTimeout(3_500);

    assert.ok(isOpen(socket));
  });

  test("is told of the time by the answer", async (t) => {
    const { socket, seen } = connectTo(t, await open(t));
    socket.write(request);
    await once(socket, "data");

    assert.match(seen.text, /\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n/);
  });
});
