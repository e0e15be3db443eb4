/**
 * More clients at the front of `dev` than it serves at once. FRONT_WAITING and FRONT_SLOW make it long
 * (`npm run soak -- front-load`).
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Agent } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import type { FunctionStatus } from "../../src/instances/status";
import { freePorts, startDev } from "../support/dev";
import { freePort } from "../support/mosquitto";
import { residentMiB } from "../support/processes";
import { functionYaml, httpFunctionYaml, makeProject } from "../support/project";
import { withDeadline } from "../support/wait";
import { type Reply, request } from "./support/http";

const waiting = Number(process.env.FRONT_WAITING ?? 1_500);
const slowOnes = Number(process.env.FRONT_SLOW ?? 200);
const slowSeconds = Number(process.env.FRONT_SLOW_SECONDS ?? 3);
const queue = 1_000;

test(`${waiting} requests wait for one function: ${queue} are answered when it is ready, the rest 503 at once`, async (t) => {
  const port = await freePort();
  const dev = startDev(
    makeProject(t, {
      "function.yaml": httpFunctionYaml("hello", "hello"),
      "index.mjs": `process.stdout.write(process.pid + "\\n");
        await new Promise((resolve) => process.once("SIGUSR2", resolve));
        export const hello = (req, res) => res.send("hello");`,
    }),
    [...freePorts, `--port=${port}`],
  );
  t.after(() => dev.stop("SIGKILL"));
  const said = await dev.next("log");
  const replies: Reply[] = [];
  const failures: unknown[] = [];

  const asked = Array.from({ length: waiting }, async (_, index) => {
    await setTimeout(Math.floor(index / 100) * 50); // what the system holds for one that accepts is bounded too
    try {
      replies.push(await request(`http://127.0.0.1:${port}/`, { deadline: 90_000 }));
    } catch (err) {
      failures.push(err);
    }
  });
  const deadline = Date.now() + 25_000;
  while (replies.length < waiting - queue && Date.now() < deadline) await setTimeout(10);
  const refused = replies.splice(0);
  process.kill(Number(said.data.text), "SIGUSR2");
  await Promise.all(asked);

  t.diagnostic(`${refused.length} refused, ${replies.length} answered, ${failures.length} failed`);
  assert.deepEqual(failures, []);
  assert.equal(refused.length, waiting - queue);
  for (const { status, headers, text } of refused) {
    assert.equal(status, 503);
    assert.ok(Number(headers["retry-after"]) >= 1);
    assert.match(text, /FF_INSTANCE_QUEUE_FULL/);
  }
  assert.deepEqual([...new Set(replies.map(({ status, text }) => `${status} ${text}`))], ["200 hello"]);
});

const megabyte = 1024 ** 2;
const module = `
  const mebibyte = Buffer.alloc(${megabyte});
  export const slow = (req, res) => {
    if (req.method === "POST") return void req.on("end", () => res.end("read")).resume();
    let left = 20;
    const more = () => { while (left-- > 0) if (!res.write(mebibyte)) return void res.once("drain", more); res.end(); };
    more();
  };
  export const hello = (req, res) => res.send("hello");`;

test(`${slowOnes} clients that read or send a byte a second, for ${slowSeconds} s, leave the memory as it is, and others are served`, {
  skip: !existsSync("/proc/self/status"),
}, async (t) => {
  const params = { FUNCTION_TARGET: "slow", FF_BODY_MODE: "stream" };
  const dev = startDev(
    makeProject(t, {
      "a.yaml": functionYaml("slow", { runtime: "knative", params }),
      "b.yaml": httpFunctionYaml("hello", "hello"),
      "index.mjs": module,
    }),
    [...freePorts, "-f", "."],
  );
  t.after(() => dev.stop("SIGKILL"));
  const { gateway: address, control } = await dev.ready();
  const gateway = address ?? "";
  const inFlight = async () => {
    const status = (await (await fetch(`${control}/v1/functions/slow`)).json()) as FunctionStatus;
    return status.instances[0]?.inFlight ?? 0;
  };
  for (let count = 0; count < 100; count++) await request(`${gateway}/hello`);
  const before = residentMiB(dev.child.pid ?? 0);
  const { port } = new URL(gateway);
  const sockets = Array.from({ length: slowOnes }, (_, index) =>
    index % 2 === 0 ? openReader(Number(port)) : openSender(Number(port)),
  );
  t.after(() => sockets.map((socket) => socket.destroy()));
  const all = async () => {
    while ((await inFlight()) < slowOnes) await setTimeout(20);
  };
  await withDeadline(all(), "all are in flight", 60_000);

  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.after(() => agent.destroy());
  let served = 0;
  let most = 0;
  const end = Date.now() + slowSeconds * 1_000;
  while (Date.now() < end) {
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => request(`${gateway}/hello`, { agent })),
    );
    assert.ok(replies.every(({ status }) => status === 200));
    served += replies.length;
    most = Math.max(most, residentMiB(dev.child.pid ?? 0));
  }
  const still = await inFlight();

  t.diagnostic(
    `${served} others served; dev has ${Math.round(before)} MiB before, ${Math.round(most)} at most`,
  );
  assert.equal(still, slowOnes);
  // Of 20 MiB that each reader is to get, and Node's own for two connections each.
  assert.ok(most - before < 60 + slowOnes * 0.3, `${before} → ${most} MiB`);
  assert.deepEqual(dev.all("error"), []);
});

/** Gets a large reply, of which it takes a byte a second. */
function openReader(port: number): Socket {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.write("GET /slow/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  socket.pause();
  everySecond(socket, () => socket.read(1));
  return socket;
}

/** Has a large body, of which it sends a byte a second. */
function openSender(port: number): Socket {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.write("POST /slow/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
  socket.resume();
  everySecond(socket, () => socket.write("x"));
  return socket;
}

function everySecond(socket: Socket, work: () => void): void {
  const timer = setInterval(work, 1_000);
  socket.once("close", () => clearInterval(timer));
}
