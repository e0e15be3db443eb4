/** Connections that change their protocol: WebSocket, and what is none. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { describe, test } from "node:test";

import { deferred, until } from "../support/wait";

import { ask, nobody, openClient, startEcho, startHop, startRawUpstream, startUpstream } from "./support/hop";
import { request } from "./support/http";

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const wish = `GET /chat/room?x=1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
// RFC 6455 §1.3
const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

/** A server that takes the upgrade and sends every frame back unmasked. */
function startWebSocketEcho(t: Parameters<typeof startHop>[0], { first = "" } = {}) {
  const read: number[] = [];
  return startRawUpstream(t, (socket, received, connection) => {
    const headEnd = received.indexOf("\r\n\r\n") + 4;
    if (headEnd < 4) return;
    if (read[connection] === undefined) {
      const head = `HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: ${accept}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
      socket.write(head + first, "latin1");
      read[connection] = headEnd;
    }
    for (;;) {
      const frame = readFrame(received.slice(read[connection]));
      if (frame === undefined) return;
      read[connection] = (read[connection] as number) + frame.size;
      socket.write(writeFrame(frame.opcode, frame.payload), "latin1");
      if (frame.opcode === 8) socket.end();
    }
  });
}

/** RFC 6455 §5.2. */
function writeFrame(opcode: number, payload: string, mask?: Buffer): string {
  const length = payload.length;
  const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = 0x80 | opcode;
  head[1] = (mask ? 0x80 : 0) | (head.length === 2 ? length : head.length === 4 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  const bytes = Buffer.from(payload, "latin1");
  if (mask)
    for (let index = 0; index < bytes.length; index++) bytes[index] = at(bytes, index) ^ at(mask, index % 4);
  return Buffer.concat([head, mask ?? Buffer.alloc(0), bytes]).toString("latin1");
}

function readFrame(text: string): { opcode: number; payload: string; size: number } | undefined {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 2) return undefined;
  const short = at(bytes, 1) & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < start) return undefined;
  const length =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  const isMasked = (at(bytes, 1) & 0x80) !== 0;
  const dataAt = start + (isMasked ? 4 : 0);
  if (bytes.length < dataAt + length) return undefined;
  const data = bytes.subarray(dataAt, dataAt + length);
  if (isMasked)
    for (let index = 0; index < length; index++)
      data[index] = at(data, index) ^ at(bytes, start + (index % 4));
  return { opcode: at(bytes, 0) & 0x0f, payload: data.toString("latin1"), size: dataAt + length };
}

function at(bytes: Buffer, index: number): number {
  return bytes[index] as number;
}

describe("a WebSocket", () => {
  test("is opened, echoes frames of all sizes, and is closed", async (t) => {
    const upstream = await startWebSocketEcho(t);
    const hop = await startHop(t, upstream, { timeout: 50 }); // the time to the head is no limit of the socket
    const client = openClient(t, hop.port);

    client.write(wish);
    await client.gets("\r\n\r\n");
    assert.deepEqual(client.received.split("\r\n").sort(), [
      "",
      "",
      "Connection: Upgrade",
      "HTTP/1.1 101 Switching Protocols",
      `Sec-WebSocket-Accept: ${accept}`,
      "Upgrade: websocket",
    ]);
    assert.match(upstream.received[0] as string, /^GET \/chat\/room\?x=1 HTTP\/1\.1\r\n/);
    assert.match(upstream.received[0] as string, /\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n/);

    const mask = Buffer.from([1, 2, 3, 4]);
    for (const size of [0, 5, 125, 126, 65_535, 65_536, 300_000]) {
      const payload = `${size}`.padEnd(size, "\x00\xff<payload>").slice(0, size);
      client.write(writeFrame(2, payload, mask));
      await client.gets(writeFrame(2, payload));
    }
    client.write(writeFrame(8, "\x03\xe8", mask));
    await client.gets(writeFrame(8, "\x03\xe8"));
    await client.closed();

    const [outcome] = await hop.ended(1);
    assert.equal(outcome?.status, 101);
    await upstream.closes(1);
  });

  test("loses no bytes that come with the heads, neither way", async (t) => {
    const upstream = await startWebSocketEcho(t, { first: writeFrame(1, "welcome") });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);

    client.write(wish + writeFrame(1, "early", Buffer.from([9, 9, 9, 9])));
    await client.gets(writeFrame(1, "early"));

    assert.ok(client.received.includes(writeFrame(1, "welcome") + writeFrame(1, "early")));
  });

  test("that its upstream ends gives its client all that was sent", async (t) => {
    const size = 30_000_000;
    const upstream = await startRawUpstream(t, (socket) => {
      socket.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
      socket.end(Buffer.alloc(size, "x"));
    });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);

    client.write(wish);
    await client.gets("\r\n\r\n");
    await client.closed();

    assert.equal(client.received.length - client.received.indexOf("\r\n\r\n") - 4, size);
  });

  test("that its client leaves is left upstream", async (t) => {
    const upstream = await startWebSocketEcho(t);
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);
    client.write(wish);
    await client.gets("\r\n\r\n");

    client.socket.resetAndDestroy();

    await upstream.closes(1);
    await hop.ended(1);
  });

  test("that its upstream resets is closed for the client", async (t) => {
    const upstream = await startRawUpstream(t, (socket, received) => {
      if (received.endsWith("die")) socket.resetAndDestroy();
      else socket.write("HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);
    client.write(wish);
    await client.gets("\r\n\r\n");

    client.write("die");

    await client.closed();
    await hop.ended(1);
  });
});

for (const reader of ["client", "upstream"]) {
  test(`the ${reader} does not read: the other side is slowed down`, async (t) => {
    const size = 60_000_000;
    const pong = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npong";
    let upstreamSocket: Socket | undefined;
    const upstream = await startRawUpstream(t, (socket, received) => {
      if (!received.endsWith("\r\n\r\n")) return;
      const isPing = received.startsWith("GET /ping");
      if (!isPing) upstreamSocket = socket;
      socket.write(isPing ? pong : "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);
    client.write(wish);
    await client.gets("\r\n\r\n");
    const [from, to] =
      reader === "client" ? [upstreamSocket, client.socket] : [client.socket, upstreamSocket];

    to?.pause();
    from?.write(Buffer.alloc(size));
    for (let count = 0; count < 300; count++) await request(`${hop.url}/ping`); // the hop has had its turns

    assert.ok((from?.writableLength ?? 0) > size / 2, `${from?.writableLength} of ${size} are left`);
    to?.removeAllListeners("data").resume();
    await until(
      () => to?.bytesRead !== undefined && to.bytesRead > size,
      to as Socket,
      "data",
      "all is read",
    );
  });
}

describe("a wish for another protocol", () => {
  test("that is answered otherwise gets that answer, and the connection ends", async (t) => {
    const upstream = await startEcho(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    const hop = await startHop(t, upstream);

    const answer = await ask(t, hop.port, wish);

    assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*Connection: close\r\n[\s\S]*no$/);
    assert.equal((await hop.ended(1))[0]?.status, 403);
  });

  test("to nobody is 502", async (t) => {
    const hop = await startHop(t, { address: await nobody() });

    assert.match(await ask(t, hop.port, wish), /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  });

  test("with a body is 400", async (t) => {
    const upstream = await startEcho(t, "");
    const hop = await startHop(t, upstream);

    const answer = await ask(t, hop.port, wish.replace("\r\n\r\n", "\r\nContent-Length: 4\r\n\r\nbody"));

    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(upstream.received.length, 0);
  });

  test("to h2c is a plain request", async (t) => {
    const upstream = await startEcho(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    const hop = await startHop(t, upstream);

    const answer = await ask(t, hop.port, wish.replace("WebSocket", "h2c"));

    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[\s\S]*ok$/);
    assert.doesNotMatch(upstream.received[0] as string, /upgrade/i);
  });
});

test("a change of protocol waits until the requests before it are answered", async (t) => {
  const first = deferred<() => void>();
  const address = await startUpstream(t, (req, res) => {
    if (req.url === "/first") first.resolve(() => res.end("first"));
    else res.end(req.url);
  });
  const { port, ended } = await startHop(t, { address });
  const client = openClient(t, port);

  client.write(
    "GET /first HTTP/1.1\r\nHost: localhost\r\n\r\nGET /second HTTP/1.1\r\nHost: localhost\r\n\r\n" +
      "GET /third HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  (await first.promise)();
  await client.closed();
  const outcomes = await ended(3);

  assert.deepEqual(client.received.match(/first|\/second|\/third/g), ["first", "/second", "/third"]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [200, 200, 200],
  );
});
