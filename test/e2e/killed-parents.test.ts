/**
 * Parents that are killed -9 at any moment, `dev` and `serve --workers`: no process and no folder of sockets is left.
 * KILLS makes it long (`npm run soak -- parents`); SEED repeats a run.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { freePorts } from "../support/dev";
import { Random } from "../support/fuzz/random";
import { httpFunctionYaml } from "../support/project";
import { until } from "../support/wait";
import { spawnFramework } from "./support/framework";
import { request } from "./support/http";
import { makeUserProject } from "./support/modules";

const kills = Number(process.env.KILLS ?? 5);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

const module = (text: string) => `exports.serve = (req, res) => setTimeout(() => res.send("${text}"), 5);\n`;

type Moment = "start" | "load" | "reload" | "drain";
const moments: Moment[] = ["start", "load", "reload", "drain"];

for (const [what, args, address] of [
  ["dev", ["dev", "--json", ...freePorts], /"gateway":"(http[^"]+)"/],
  ["serve --workers", ["--target=serve", "--workers=2", "--port=0"], /^URL: (\S+)/m],
] as const) {
  test(`${what}: killed ${kills} times, it leaves nothing`, {
    skip: !existsSync("/proc/self/environ"),
  }, async (t) => {
    t.diagnostic(`SEED=${seed}`);
    const counts = { start: 0, load: 0, reload: 0, drain: 0 };
    for (let kill = 0; kill < kills; kill++) {
      const moment = moments[kill % moments.length] as Moment;
      const random = new Random(seed, kill);
      const after = random.below(moment === "start" ? 1_200 : 300);
      await killAt(t, { args, address, moment, after });
      counts[moment]++;
    }
    t.diagnostic(`${what}: ${JSON.stringify(counts)}`);
  });
}

interface Story {
  args: readonly string[];
  /** Where it says what its address is. */
  address: RegExp;
  moment: Moment;
  /** ms */
  after: number;
}

async function killAt(t: TestContext, { args, address, moment, after }: Story): Promise<void> {
  const project = await makeUserProject(t, {
    "index.js": module("one"),
    "function.yaml": httpFunctionYaml("serve", "serve"),
  });
  const temp = join(project, "temp");
  mkdirSync(temp);
  const parent = spawnFramework([...args], { project, env: { TMPDIR: temp } });
  t.after(() => parent.kill("SIGKILL"));
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  let isOver = false;
  let clients: Promise<void>[] = [];

  if (moment !== "start") {
    await until(
      () => address.test(parent.stdout) || parent.hasEnded(),
      parent.news,
      "news",
      "it serves",
      60_000,
    );
    const url = address.exec(parent.stdout)?.[1]?.replace("localhost", "127.0.0.1") ?? "";
    clients = Array.from({ length: 4 }, async () => {
      while (!isOver) await request(url, { agent }).catch(() => setTimeout(5));
    });
    await setTimeout(50); // under load
    if (moment === "reload" && args.includes("dev")) writeFileSync(join(project, "index.js"), module("two"));
    else if (moment === "reload") killOne(temp, parent.pid);
    else if (moment === "drain") parent.kill("SIGTERM");
  }
  await setTimeout(after); // the moment
  parent.kill("SIGKILL");
  await parent.ended();
  isOver = true;
  agent.destroy();
  await Promise.all(clients);

  const where = `killed ${after} ms after ${moment}`;
  const deadline = Date.now() + 30_000;
  const left = () => [...processesOf(temp), ...readdirSync(temp).filter((name) => name.startsWith("ff-"))];
  while (left().length > 0) {
    assert.ok(Date.now() < deadline, `${where}: ${left()} is left`);
    await setTimeout(50);
  }
}

/** Those that have this temp folder in their environment, and their commands. */
function processesOf(temp: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => read(`/proc/${pid}/environ`).split("\0").includes(`TMPDIR=${temp}`));
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // it has just ended
  }
}

function killOne(temp: string, parent: number): void {
  const child = processesOf(temp).find((pid) => Number(pid) !== parent);
  if (child !== undefined) process.kill(Number(child), "SIGKILL");
}
