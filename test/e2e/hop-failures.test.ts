/** What goes wrong behind the hop and in front of it: what the client is told, what is tried again, what never is. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { until, withDeadline } from "../support/wait";
import {
  ask,
  nobody,
  openClient,
  socketPath,
  startEcho,
  startHop,
  startRawUpstream,
  startUpstream,
} from "./support/hop";
import { request } from "./support/http";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

describe("no reply", () => {
  test("nobody listens: 502, and the code for who accepts only JSON", async (t) => {
    for (const address of [await nobody(), `unix:${socketPath()}`, "what:ever", "tcp:127.0.0.1:70000"]) {
      const hop = await startHop(t, { address });

      const text = await request(hop.url);
      const json = await request(hop.url, { headers: { Accept: "application/json" } });

      assert.equal(`${text.status} ${text.text}`, "502 Bad Gateway", address);
      assert.deepEqual(json.json(), { error: "Bad Gateway", code: "FF_UPSTREAM_UNREACHABLE" });
      const [outcome] = await hop.ended(1);
      assert.equal(outcome?.status, 502);
      assert.ok(outcome?.error?.message.includes(address), outcome?.error?.message);
    }
  });

  test("the head does not come in time: 504, and the upstream's connection is cut", async (t) => {
    const upstream = await startRawUpstream(t, (socket) => socket.write("HTTP/1.1 103 Early Hints\r\n\r\n"));
    const hop = await startHop(t, { address: upstream.address, timeout: 50 });

    const reply = await request(hop.url);
    await upstream.closes(1);

    assert.equal(reply.status, 504);
    assert.equal((await hop.ended(1))[0]?.error?.code, "FF_UPSTREAM_TIMEOUT");
  });

  test("the time to the head does not run while a reply streams", async (t) => {
    let end: () => void = () => undefined;
    const upstream = await startRawUpstream(t, (socket, received) => {
      if (received.startsWith("GET /slow")) return;
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      end = () => socket.write("0\r\n\r\n");
    });
    const hop = await startHop(t, (url) => ({
      address: upstream.address,
      timeout: url === "/slow" ? 100 : 50,
    }));
    const streams = openClient(t, hop.port);
    streams.write(get);
    await streams.gets("\r\n\r\n");

    assert.equal((await request(`${hop.url}/slow`)).status, 504); // so 50 ms are over
    end();
    await streams.gets("0\r\n\r\n");
  });

  test("a caller answers in its own way", async (t) => {
    const address = await nobody();
    const hop = await startHop(
      t,
      { address },
      { onError: (_req, res, err) => res.writeHead(500).end(`Can't reach service (${err.code})`) },
    );

    const reply = await request(hop.url);

    assert.equal(`${reply.status} ${reply.text}`, "500 Can't reach service (FF_UPSTREAM_UNREACHABLE)");
  });

  test("all connections are in use: 503", async (t) => {
    const upstream = await startRawUpstream(t, () => undefined);
    const hop = await startHop(t, upstream, { maxConnections: 1 });
    openClient(t, hop.port).write(get);
    await upstream.gets("GET /");

    const reply = await request(hop.url);

    assert.equal(reply.status, 503);
    assert.equal((await hop.ended(1))[0]?.error?.code, "FF_UPSTREAM_BUSY");
  });

  test("a body that was being sent is no reason to keep the client waiting", async (t) => {
    const address = await nobody();
    const hop = await startHop(t, { address });

    const answer = await ask(
      t,
      hop.port,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\npart",
    );

    assert.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n[\s\S]*Bad Gateway$/);
  });
});

describe("half a reply", () => {
  for (const [name, text] of Object.entries({
    "of a length": "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart",
    "in chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
  })) {
    test(`${name} breaks the client's connection`, async (t) => {
      const upstream = await startEcho(t, text, { closes: true });
      const hop = await startHop(t, upstream);

      const answer = await ask(t, hop.port, get.replace("Connection: close\r\n", ""));

      assert.match(answer, /part/);
      assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/);
      assert.equal((await hop.ended(1))[0]?.error?.code, "FF_UPSTREAM_LOST");
    });
  }

  test("until the end of the connection that is reset breaks the client's too", async (t) => {
    let reset: () => void = () => undefined;
    const upstream = await startRawUpstream(t, (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\npart");
      reset = () => socket.resetAndDestroy();
    });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);

    client.write(get);
    await client.gets("part");
    reset();
    await client.closed();

    assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
  });

  test("a part of a head is 502", async (t) => {
    const upstream = await startEcho(t, "HTTP/1.1 200 OK\r\nContent-", { closes: true });
    const hop = await startHop(t, upstream);

    assert.equal((await request(hop.url)).status, 502);
  });
});

describe("a client that leaves", () => {
  test("before the reply ends the upstream's connection", async (t) => {
    const upstream = await startRawUpstream(t, () => undefined);
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);
    client.write(get);
    await upstream.gets("GET /");

    client.socket.destroy();
    await upstream.closes(1);

    assert.equal((await hop.ended(1))[0]?.isAborted, true);
  });

  test("in the middle of the reply does too", async (t) => {
    const upstream = await startRawUpstream(t, (socket) =>
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npart"),
    );
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);
    client.write(get);
    await client.gets("part");

    client.socket.destroy();
    await upstream.closes(1);

    const [outcome] = await hop.ended(1);
    assert.equal(outcome?.status, 200);
    assert.equal(outcome?.isAborted, true);
  });

  test("in the middle of its body does too", async (t) => {
    const upstream = await startRawUpstream(t, () => undefined);
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);
    client.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart");
    await upstream.gets("part");

    client.socket.destroy();
    await upstream.closes(1);
  });

  test("with several requests on its connection leaves all of them", async (t) => {
    const upstream = await startRawUpstream(t, (socket, received) => {
      if (received.startsWith("GET /large"))
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n${"x".repeat(1_000_000)}`);
    });
    const hop = await startHop(t, upstream);
    const client = openClient(t, hop.port);
    client.write(
      ["/silent", "/large", "/silent"].map((path) => get.replace("/", path).replace("close", "x")).join(""),
    );
    await until(() => upstream.received.length === 3, upstream.news, "news", "all are sent on");

    client.socket.destroy();
    await upstream.closes(3);

    assert.ok((await hop.ended(3)).every(({ isAborted }) => isAborted));
  });

  test("while another address is asked for is told at once, and nothing is sent there", async (t) => {
    const upstream = await startEcho(t, ok);
    let choose: (address: string) => void = () => undefined;
    let asked: () => void = () => undefined;
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const address = await nobody();
    const hop = await startHop(t, {
      address,
      next: () => {
        asked();
        return new Promise((resolve) => {
          choose = resolve;
        });
      },
    });
    const client = openClient(t, hop.port);
    client.write(get);
    await isAsked;

    client.socket.destroy();
    assert.equal((await hop.ended(1))[0]?.isAborted, true);
    choose(upstream.address);
    await new Promise((resolve) => setImmediate(resolve));

    assert.equal(upstream.received.length, 0);
  });
});

describe("another try", () => {
  /** An upstream that keeps its connection and closes it as the second request arrives. */
  const stale = (t: Parameters<typeof startHop>[0]) => {
    let requests = 0;
    return startRawUpstream(t, (socket, received) => {
      if (!received.endsWith("\r\n\r\n") && !received.endsWith("body")) return;
      if (++requests === 2) socket.destroy();
      else socket.write(ok);
    });
  };

  for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]) {
    test(`${method} on a stale connection is sent once more, on a new one`, async (t) => {
      const upstream = await startRawUpstream(t, (socket, received, connection) => {
        if (connection === 0 && received.split("\r\n\r\n").length > 2) socket.destroy();
        else socket.write(method === "HEAD" && connection > 0 ? ok.slice(0, -2) : ok);
      });
      const hop = await startHop(t, upstream);
      await request(hop.url);

      const { status } = await request(hop.url, { method, body: method === "PUT" ? "body" : undefined });

      assert.equal(status, 200);
      assert.equal(upstream.received.length, 2);
    });
  }

  test("POST on a stale connection is 502: it may have been done", async (t) => {
    const upstream = await stale(t);
    const hop = await startHop(t, { address: upstream.address, next: () => upstream.address });
    await request(hop.url);

    assert.equal((await request(hop.url, { method: "POST", body: "body" })).status, 502);
    assert.equal(upstream.received.length, 1);
  });

  test("a connection that is stale is replaced once, not for ever", async (t) => {
    const upstream = await startRawUpstream(t, (socket, received, connection) => {
      if (connection === 0 && received.split("\r\n\r\n").length === 2) socket.write(ok);
      else socket.destroy();
    });
    const hop = await startHop(t, upstream);
    await request(hop.url);

    assert.equal((await request(hop.url)).status, 502);
    assert.equal(upstream.received.length, 2);
  });

  test("nothing was sent: any method goes to the next address", async (t) => {
    const address = await startUpstream(t, (req, res) => req.pipe(res));
    const failed: (string | undefined)[] = [];
    const dead = [await nobody(), await nobody()];
    const hop = await startHop(t, {
      address: `unix:${socketPath()}`,
      next: async (err) => {
        failed.push(err.code);
        return dead.pop() ?? address;
      },
    });

    const { text } = await request(hop.url, { method: "POST", body: "still there" });

    assert.equal(text, "still there");
    assert.deepEqual(failed, Array(3).fill("FF_UPSTREAM_UNREACHABLE"));
    assert.equal((await hop.ended(1))[0]?.address, address);
  });

  test("a host that does not take the connection is left for the next address, whatever the method", async (t) => {
    const full = await startFullServer(t);
    const address = await startUpstream(t, (req, res) => req.pipe(res));
    const failed: (string | undefined)[] = [];
    const next = (err: { code: string }) => {
      failed.push(err.code);
      return failed.length === 1 ? address : undefined;
    };
    const hop = await startHop(t, { address: full, next }, { connectTimeout: 100 });

    const passed = await request(hop.url, { method: "POST", body: "still there" });
    const refused = await request(hop.url, { method: "POST", body: "x" });

    assert.equal(passed.text, "still there");
    assert.equal(refused.status, 504);
    assert.deepEqual(failed, ["FF_UPSTREAM_CONNECT_TIMEOUT", "FF_UPSTREAM_CONNECT_TIMEOUT"]);
  });

  const dies: Record<string, string> = {
    "before the head": "",
    "within the head": "HTTP/1.1 200 OK\r\nConte",
    "after the head of a small reply": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "within a small reply": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal",
  };
  for (const [when, text] of Object.entries(dies)) {
    test(`an instance that dies ${when} costs a GET nothing`, async (t) => {
      const dying = await startEcho(t, text, { closes: true });
      const upstream = await startEcho(t, ok);
      const hop = await startHop(t, { address: dying.address, next: () => upstream.address });

      assert.equal((await request(hop.url)).text, "ok");
      assert.equal(dying.received.length, 1);
    });
  }

  test("a small reply in parts is held, and whole", async (t) => {
    const parts = ["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "one", "two", "six"];
    const upstream = await startRawUpstream(t, (socket) => {
      const send = (index: number) => {
        const part = parts[index];
        if (part !== undefined) socket.write(part, () => setImmediate(send, index + 1));
      };
      send(0);
    });
    const hop = await startHop(t, { address: upstream.address, next: () => undefined });

    assert.equal((await request(hop.url)).text, "onetwosix");
  });

  test("a PUT whose small body was sent goes to the next address, whole", async (t) => {
    const dying = await startRawUpstream(t, (socket, received) => {
      if (received.endsWith("body")) socket.destroy();
    });
    const address = await startUpstream(t, (req, res) => req.pipe(res));
    const hop = await startHop(t, { address: dying.address, next: () => address });

    const { text } = await request(hop.url, { method: "PUT", body: "the body" });

    assert.equal(text, "the body");
  });

  test("a PUT whose large body was sent is 502", async (t) => {
    const dying = await startRawUpstream(t, (socket, received) => {
      if (received.length > 200_000) socket.destroy();
    });
    const upstream = await startEcho(t, ok);
    const hop = await startHop(t, { address: dying.address, next: () => upstream.address });

    assert.equal((await request(hop.url, { method: "PUT", body: Buffer.alloc(300_000) })).status, 502);
    assert.equal(upstream.received.length, 0);
  });

  test("a POST that was sent, a reply that is refused and one that is late are not tried again", async (t) => {
    const upstream = await startEcho(t, ok);
    const dying = await startEcho(t, "", { closes: true });
    const lying = await startEcho(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok");
    const silent = await startRawUpstream(t, () => undefined);
    const first: Record<string, string> = {
      "/post": dying.address,
      "/lies": lying.address,
      "/late": silent.address,
    };
    const hop = await startHop(t, (url) => ({
      address: first[url] as string,
      timeout: 50,
      next: () => upstream.address,
    }));

    assert.equal((await request(`${hop.url}/post`, { method: "POST" })).status, 502);
    assert.equal((await request(`${hop.url}/lies`)).status, 502);
    assert.equal((await request(`${hop.url}/late`)).status, 504);
    assert.equal(upstream.received.length, 0);
  });

  test("when there is no other address, the last failure is the answer", async (t) => {
    const dying = await startEcho(t, "", { closes: true });
    let asked = 0;
    const hop = await startHop(t, {
      address: dying.address,
      next: () => {
        asked++;
        return undefined;
      },
    });

    assert.equal((await request(hop.url)).status, 502);
    assert.equal(asked, 1);
  });
});

/** A process that listens and is stuck, with its queue of connections full. */
async function startFullServer(t: TestContext): Promise<string> {
  const source = `const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    require("node:fs").writeSync(1, String(server.address().port));
    for (;;);
  });`;
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [port] = await withDeadline(once(child.stdout, "data"), "it listens");
  child.kill("SIGSTOP"); // it shall take no time of the machine either
  const sockets = Array.from({ length: 8 }, () =>
    connect(Number(port), "127.0.0.1").on("error", () => undefined),
  );
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await withDeadline(Promise.any(sockets.map((socket) => once(socket, "connect"))), "the queue fills");
  return `tcp:127.0.0.1:${port}`;
}

test("a connection that says something while nobody asks is not used again", async (t) => {
  let say: () => void = () => undefined;
  const upstream = await startRawUpstream(t, (socket) => {
    socket.write(ok);
    say = () => socket.write(ok);
  });
  const hop = await startHop(t, upstream);
  await request(hop.url);

  say();
  await upstream.closes(1);

  assert.equal((await request(hop.url)).text, "ok");
  assert.equal(upstream.received.length, 2);
});

test("a client that speaks no HTTP harms nobody", async (t) => {
  const upstream = await startEcho(t, ok);
  const hop = await startHop(t, upstream);
  const socket = connect(hop.port, "127.0.0.1");

  socket.end("\0\0\0\r\n\r\n");
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));

  assert.equal((await request(hop.url)).text, "ok");
});

for (const [what, body] of [
  ["no body", undefined],
  ["a body", "b".repeat(1_000)],
  ["a chunked body", ["chu", "nked"]],
] as [string, string | string[] | undefined][]) {
  test(`POST with ${what} on a connection whose server has just gone was not sent, and is sent once more`, async (t) => {
    const got: string[] = [];
    const connections: Socket[] = [];
    const address = await startUpstream(
      t,
      async (req, res) => {
        connections.push(req.socket);
        got.push(await text(req));
        res.end();
      },
      socketPath(),
    );
    const hop = await startHop(t, (url) => {
      if (url === "/second") connections[0]?.destroy(); // in the very moment: nobody has seen its end yet
      return { address };
    });

    await request(`${hop.url}/first`);
    const { status } = await request(`${hop.url}/second`, { method: "POST", body });

    assert.equal(status, 200);
    assert.equal(got[1], [body].flat().join(""));
    assert.equal(connections.length, 2);
  });
}
