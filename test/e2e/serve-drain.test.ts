/** The end of a server under load: no client is cut off. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import { makeProject } from "../support/project";
import { startFramework } from "./support/framework";
import { request } from "./support/http";

test("clients that keep their connections and ask all the time get every answer, the last one says close", async (t) => {
  const framework = await startFramework(["--target=tryKnative"], { project: "hello" });
  t.after(() => framework.stop());
  const failures: unknown[] = [];
  const lastAnswers: (string | undefined)[] = [];

  async function askUntilClosed(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (let count = 0; ; count++) {
        const reply = await request(framework.url, { agent });
        if (count === 50) started();
        if (reply.headers.connection !== "close") continue;
        lastAnswers.push(reply.headers.connection);
        return;
      }
    } catch (err) {
      failures.push(err);
    } finally {
      agent.destroy();
    }
  }
  let started: () => void = () => undefined;
  const underLoad = new Promise<void>((resolve) => {
    started = resolve;
  });
  const clients = Array.from({ length: 16 }, askUntilClosed);
  await underLoad;

  framework.kill("SIGTERM");
  await Promise.all(clients);
  const { code } = await framework.ended();

  assert.deepEqual(failures, []);
  assert.equal(lastAnswers.length, 16);
  assert.equal(code, 0);
});

test("connections that the kernel has taken before the signal are answered", async (t) => {
  const folder = makeProject(t, {
    "index.js": `const { existsSync, writeSync } = require("node:fs");
      exports.hello = (req, res) => {
        if (req.path === "/block") {
          process.kill(process.pid, "SIGTERM");
          writeSync(1, "blocked\\n");
          while (!existsSync("connected"));
        }
        res.send("answered");
      };`,
  });
  const framework = await startFramework(["--target=hello"], { project: folder });
  t.after(() => framework.stop());
  const { hostname, port } = new URL(framework.url);

  const first = request(`${framework.url}/block`);
  await framework.says("blocked");
  const sockets = Array.from({ length: 100 }, () => connect(Number(port), hostname));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const answers = sockets.map(async (socket) => {
    socket.end("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    return (await text(socket)).split("\r\n", 1)[0];
  });
  writeFileSync(join(folder, "connected"), "");

  assert.deepEqual(new Set(await Promise.all(answers)), new Set(["HTTP/1.1 200 OK"]));
  assert.equal((await first).text, "answered");
  assert.equal((await framework.ended()).code, 0);
});
