/** Requests in line on one connection, whose client leaves before the answers ahead of them are out. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";

import type { Framework } from "./support/framework";
import { request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

const module = `
  exports.serve = (req, res) => {
    if (req.path === "/quick") return res.send("quick");
    console.log(req.path + " starts");
    req.signal.addEventListener("abort", () => console.log(req.path + " is aborted"));
  };
  exports.handle = (ctx, { name }) => new Promise(() => {
    console.log(name + " starts");
    ctx.signal.addEventListener("abort", () => console.log(name + " is aborted"));
  });`;

async function pipeline(framework: Framework, requests: string[]) {
  const socket = connect(framework.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(requests.join(""));
  return socket;
}

test("a client that leaves aborts the requests in line too, and gives all places back", async (t) => {
  const framework = await startModule(t, module, ["--target=serve", "--max-concurrency=12", "--metrics"]);
  const paths = Array.from({ length: 12 }, (_, index) => `/wait-${index}`);

  const socket = await pipeline(
    framework,
    paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: here\r\n\r\n`),
  );
  await framework.says("/wait-11 starts");
  const busy = await request(`${framework.url}/quick`);
  socket.destroy();
  await Promise.all(paths.map((path) => framework.says(`${path} is aborted`)));
  const quick = await request(`${framework.url}/quick`);
  const metrics = await request(`${framework.url}/metrics`);

  assert.equal(busy.status, 429);
  assert.deepEqual([quick.status, quick.text], [200, "quick"]);
  assert.match(metrics.text, /^faas_invocations_in_flight 0$/m);
  assert.match(metrics.text, /^faas_errors_total\{.*\} 12$/m);
  assert.equal(framework.stderr, "", "nothing is said about many listeners");
});

test("requests in line are answered in their order when the client stays", async (t) => {
  const framework = await startModule(t, module, ["--target=serve", "--max-concurrency=3"]);

  const socket = await pipeline(
    framework,
    Array.from({ length: 3 }, () => "GET /quick HTTP/1.1\r\nHost: here\r\n\r\n"),
  );
  let received = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    received += text;
    if (received.split("\r\n\r\nquick").length === 4) socket.end();
  });
  await once(socket, "close");
  const quick = await request(`${framework.url}/quick`);

  assert.equal(received.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
  assert.equal(quick.status, 200);
});

test("a sidecar that leaves gives the places of the deliveries in line back", async (t) => {
  const framework = await startModule(t, module, ["--target=handle", "--max-concurrency=2"], {
    env: asyncContext(),
  });
  const delivery = (name: string) => {
    const body = JSON.stringify({ name });
    return `POST /queue HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };

  const first = await pipeline(framework, [delivery("a"), delivery("b")]);
  await framework.says("b starts");
  first.destroy();
  await Promise.all([framework.says("a is aborted"), framework.says("b is aborted")]);
  const second = await pipeline(framework, [delivery("c"), delivery("d")]);
  await Promise.all([framework.says("c starts"), framework.says("d starts")]);
  second.destroy();

  assert.equal(framework.stderr, "");
});
