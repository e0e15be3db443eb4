/**
 * Workers that end under load, one every second. WORKERS_SECONDS makes it long (`npm run soak -- workers`): the first
 * half of the time by SIGTERM, the second by SIGKILL.
 */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { isGone, untilGone } from "../support/processes";
import { request } from "./support/http";
import { startModule } from "./support/modules";

const seconds = Number(process.env.WORKERS_SECONDS ?? 4);
const clients = { keptAlive: 4, ofOneRequest: 2 };
const source = "exports.serve = (req, res) => setTimeout(() => res.send(String(process.pid)), 2);";

test(`a worker ends every second, ${seconds} s under load: a SIGTERM cuts nothing, a SIGKILL its own requests`, async (t) => {
  const framework = await startModule(t, source, ["--target=serve", "--workers=2", "--metrics"]);
  const agents = Array.from(
    { length: clients.keptAlive },
    () => new Agent({ keepAlive: true, maxSockets: 1 }),
  );
  t.after(() => agents.map((agent) => agent.destroy()));
  const seen = new Set<number>();
  const cut: unknown[] = [];
  let answered = 0;
  let isOver = false;

  const client = async (agent?: Agent) => {
    while (!isOver) {
      try {
        const { status, text } = await request(framework.url, agent ? { agent } : {});
        assert.equal(status, 200);
        seen.add(Number(text));
        answered++;
      } catch (err) {
        cut.push(err);
      }
    }
  };
  /** Ends one that has answered lately. */
  const endOne = async (signal: NodeJS.Signals) => {
    const victim = [...seen].reverse().find((pid) => !isGone(pid));
    seen.clear();
    if (victim === undefined) return 0;
    process.kill(victim, signal);
    await untilGone(victim);
    return 1;
  };
  const running = [...agents, ...Array.from({ length: clients.ofOneRequest }, () => undefined)].map(client);

  let terminated = 0;
  for (let second = 0; second < seconds / 2; second++) {
    await setTimeout(1_000); // the pace of the story
    terminated += await endOne("SIGTERM");
  }
  const cutBySigterm = [...cut];
  let killed = 0;
  for (let second = 0; second < seconds / 2; second++) {
    await setTimeout(1_000);
    killed += await endOne("SIGKILL");
  }
  isOver = true;
  await Promise.all(running);
  const metrics = (await request(`${framework.url}/metrics`)).text;
  const counted = Number(/^faas_invocations_total\{.*\} (\d+)$/m.exec(metrics)?.[1]);
  const { code } = await framework.stop();

  const cutBySigkill = cut.length - cutBySigterm.length;
  t.diagnostic(
    `${answered} requests; ${terminated} × SIGTERM cut ${cutBySigterm.length}, ${killed} × SIGKILL cut ${cutBySigkill}; ${counted} counted`,
  );
  assert.deepEqual(cutBySigterm, []);
  assert.ok(terminated > 0 && killed > 0);
  assert.ok(cutBySigkill <= killed * (clients.keptAlive + clients.ofOneRequest), `${cutBySigkill} were cut`);
  assert.ok(counted <= answered + cut.length);
  assert.equal(code, 0);
});
