/** Many at once: every byte at its place, and slow clients cost little memory. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, request as openRequest, type RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";

import { until, withDeadline } from "../support/wait";
import { socketPath, startHop, startUpstream } from "./support/hop";

test("1,000 requests at once, of any size and in any framing, come back byte for byte", async (t) => {
  const address = await startUpstream(t, (req, res) => {
    const length = req.headers["content-length"];
    if (length !== undefined && req.url !== "/chunked") res.setHeader("Content-Length", length);
    req.pipe(res);
  });
  const hop = await startHop(t, { address });
  const bytes = randomBytes(300_000);
  const agent = new Agent({ keepAlive: true, maxSockets: 200 });
  t.after(() => agent.destroy());

  const echo = async (index: number) => {
    const size = Math.floor(3 ** ((index % 115) / 10)); // 1 to about 275,000
    const body = bytes.subarray(index % 1000, (index % 1000) + size);
    const path = index % 3 === 0 ? "/chunked" : "/";
    const headers: Record<string, number> = index % 2 === 0 ? { "Content-Length": size } : {};
    const req = openRequest(hop.url + path, { method: "POST", agent, headers });
    req.end(body);
    const [res] = await once(req, "response");
    const parts: Buffer[] = [];
    for await (const part of res) parts.push(part);
    return Buffer.concat(parts).equals(body) && res.statusCode === 200;
  };
  const all = Promise.all(Array.from({ length: 1000 }, (_, index) => echo(index)));
  const results = await withDeadline(all, "all are answered", 60_000);

  assert.equal(results.filter((isSame) => !isSame).length, 0);
});

test("instances that die all the time cost no GET its answer", async (t) => {
  const sockets = new Set<Socket>();
  let requests = 0;
  const handle: RequestListener = (req, res) => {
    sockets.add(req.socket);
    req.socket.once("close", () => sockets.delete(req.socket));
    res.setHeader("Content-Length", 10_000);
    res.write("a".repeat(5_000));
    // All that is under way on every connection is lost, before heads and within replies.
    if (++requests % 25 === 0) for (const socket of sockets) socket.destroy();
    else setImmediate(() => res.end("b".repeat(5_000)));
  };
  const addresses = [await startUpstream(t, handle), await startUpstream(t, handle, socketPath())];
  let turn = 0;
  const next = () => addresses[turn++ % 2];
  const hop = await startHop(t, () => ({ address: next() as string, next }));
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  t.after(() => agent.destroy());

  const ask = async () => {
    const [res] = await once(openRequest(hop.url, { agent }).end(), "response");
    return (await res.toArray()).join("");
  };
  const answers = await withDeadline(Promise.all(Array.from({ length: 1000 }, ask)), "all are answered");

  assert.ok(answers.every((answer) => answer === "a".repeat(5_000) + "b".repeat(5_000)));
  assert.ok(requests > 1000, `${requests} requests reached the instances`);
});

test("200 clients that read 10 MiB each slowly leave the memory as it is", async (t) => {
  const megabyte = 1024 ** 2;
  let produced = 0;
  const address = await startUpstream(
    t,
    (req, res) => {
      const index = Number(req.url?.slice(1));
      const block = Buffer.alloc((index % 2 ? 64 : 8) * 1024, index);
      if (index % 2) res.setHeader("Content-Length", 10 * megabyte); // the others come in small chunks
      let left = (10 * megabyte) / block.length;
      const body = new Readable({
        read() {
          produced += block.length;
          this.push(left-- > 0 ? block : null);
        },
      });
      body.pipe(res);
    },
    socketPath(),
  );
  const listen = socketPath(); // the kernel holds less for a UNIX socket than for TCP
  await startHop(t, { address }, { listen });
  const clients = await Promise.all(Array.from({ length: 200 }, (_, index) => openSlowly(listen, index)));
  t.after(() => {
    for (const client of clients) client.destroy();
  });
  const before = held();

  let most = 0;
  for (let round = 0; round < 20; round++) {
    const reads = clients.map((client, index) => take(client, 64 * 1024, index));
    await withDeadline(Promise.all(reads), "all read a little");
    most = Math.max(most, held() - before);
  }

  // Read were 250 MiB of 2,000, and both ends' streams are in this process too.
  assert.ok(produced > 200 * 20 * 64 * 1024, String(produced));
  assert.ok(
    produced < 200 * 4 * megabyte,
    `${produced} bytes were produced for clients that do not read them`,
  );
  assert.ok(most < 200 * megabyte, `${Math.round(most / megabyte)} MiB`);
});

test("replies that wait for a slow client stay what they were", async (t) => {
  const size = 40_000; // a read brings more than goes out as a string, and its buffer is used again
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  const address = await startUpstream(
    t,
    (req, res) => {
      res.sendDate = false;
      res.setHeader("Content-Length", size);
      res.end(Buffer.alloc(size, req.url?.slice(1)));
    },
    socketPath(),
  );
  const listen = socketPath();
  await startHop(t, { address }, { listen });
  const client = connect({ path: listen });
  t.after(() => client.destroy());
  client.pause();
  client.write(letters.map((letter) => `GET /${letter} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));

  // Other replies pass through the same buffer meanwhile.
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  for (let count = 0; count < 100; count++) {
    const [res] = await once(openRequest({ socketPath: listen, agent, path: "/-" }).end(), "response");
    for await (const _ of res);
  }
  let received = "";
  client.setEncoding("latin1");
  client.on("data", (text) => {
    received += text;
  });
  client.resume();
  await until(() => received.endsWith("z".repeat(size)), client, "data", "all replies are there");

  const bodies = received.split(/HTTP\/1\.1 200 OK\r\n[\s\S]*?\r\n\r\n/).slice(1);
  assert.ok(bodies.every((body, index) => body === letters[index]?.repeat(size)));
  assert.equal(bodies.length, letters.length);
});

test("a client that sends faster than the upstream reads is slowed down", async (t) => {
  const megabyte = 1024 ** 2;
  let read: () => void = () => undefined;
  const address = await startUpstream(
    t,
    (req, res) => {
      if (req.method === "GET") {
        res.end("pong");
        return;
      }
      const hash = createHash("sha256");
      req.pause().on("data", (chunk) => hash.update(chunk));
      req.on("end", () => res.end(hash.digest("hex")));
      res.writeContinue();
      read = () => req.resume();
    },
    socketPath(),
  );
  const listen = socketPath();
  await startHop(t, { address }, { listen });
  const body = randomBytes(20 * megabyte);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const req = openRequest({
    socketPath: listen,
    method: "POST",
    agent: false,
    headers: { "Content-Length": body.length },
  });
  const response = once(req, "response");
  req.end(body);
  await withDeadline(once(req, "continue"), "the upstream has the head");

  // The hop has had its turn so often that it would have taken all.
  for (let count = 0; count < 500; count++) {
    const [res] = await once(openRequest({ socketPath: listen, agent }).end(), "response");
    assert.equal((await res.toArray()).join(""), "pong");
  }
  const waiting = req.socket?.writableLength ?? 0;
  read();
  const [res] = await withDeadline(response, "the upstream has read all");

  assert.ok(waiting > 18 * megabyte, `${waiting} bytes are left with the client`);
  assert.equal((await res.toArray()).join(""), createHash("sha256").update(body).digest("hex"));
});

/** Memory in use outside of V8's heap, where bodies are. */
function held(): number {
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** Has read the head. HTTP/1.0: no chunks in the bodies. */
async function openSlowly(path: string, index: number): Promise<Socket> {
  const client = connect({ path });
  client.pause();
  client.write(`GET /${index} HTTP/1.0\r\n\r\n`);
  for (let head = ""; !head.endsWith("\r\n\r\n"); ) {
    const byte: Buffer | null = client.read(1);
    if (byte === null) await once(client, "readable");
    else head += byte.toString("latin1");
  }
  return client;
}

/** Reads at least so many bytes, then no more; all must be the client's own. */
async function take(client: Socket, size: number, byte: number): Promise<void> {
  for (let taken = 0; taken < size; ) {
    const chunk: Buffer | null = client.read();
    if (chunk === null) {
      await once(client, "readable");
      continue;
    }
    taken += chunk.length;
    assert.ok(chunk.equals(Buffer.alloc(chunk.length, byte)), `client ${byte} reads what is another's`);
  }
}
