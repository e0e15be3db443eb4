/** The end of a server under load: no client is cut off. */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";

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
