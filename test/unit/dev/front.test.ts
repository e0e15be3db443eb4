/** Clients of the address in front that are slow, or say what is no HTTP. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { type TestContext, test } from "node:test";

import { startFront } from "../../../src/dev/front";
import { ask, openClient, startUpstream } from "../../e2e/support/hop";

const sayPath: RequestListener = (req, res) => {
  req.resume().on("end", () => res.end(req.url));
};

async function start(t: TestContext, handle = sayPath) {
  const address = await startUpstream(t, handle);
  const front = await startFront({
    functions: [{ name: "hello", isAsync: false }],
    supervisor: { acquire: async () => ({ address, instance: "hello-1", release: () => undefined }) },
    port: { port: 0, explicit: false, flag: "--port" },
    timeouts: { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 50 },
  });
  t.after(() => front.stop(0));
  return front;
}

for (const [what, text] of [
  ["its head", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "],
  ["its body", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx"],
]) {
  test(`a client that does not send ${what} in time gets 408`, async (t) => {
    const { port } = await start(t);

    const received = await ask(t, port, text as string);

    assert.match(received, /^HTTP\/1\.1 408 /);
  });
}

test("requests that come at once on one connection are answered in their order", async (t) => {
  const { port } = await start(t);
  const paths = Array.from({ length: 50 }, (_, index) => `/p${index}.`);

  const received = await ask(
    t,
    port,
    paths
      .map(
        (path, index) =>
          `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${index === 49 ? "Connection: close\r\n" : ""}\r\n`,
      )
      .join(""),
  );

  assert.deepEqual(received.match(/\/p\d+\./g), paths);
});

test("what is no HTTP is 400", async (t) => {
  const { port } = await start(t);

  assert.match(await ask(t, port, "hello\r\n\r\n"), /^HTTP\/1\.1 400 /);
});

test("it stops twice, and cuts who holds a connection", async (t) => {
  const front = await start(t);
  const client = openClient(t, front.port);
  await once(client.socket, "connect");
  client.write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx");

  await Promise.all([front.stop(0), front.stop(0)]);

  await client.closed();
});

test("a change of protocol that is refused waits for its turn too", async (t) => {
  const { port } = await start(t);

  const received = await ask(
    t,
    port,
    "GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n" +
      "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );

  assert.deepEqual(received.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 403"]);
});

test("a body whose length stands behind a thousand other fields is passed on", async (t) => {
  const { port } = await start(t, (req, res) => {
    req.setEncoding("utf8").on("data", (text) => res.end(text));
  });

  const received = await ask(
    t,
    port,
    `POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${"a: b\r\n".repeat(1_100)}Content-Length: 5\r\n\r\nhello`,
  );

  assert.match(received, /hello$/);
});
