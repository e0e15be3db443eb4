// Milliseconds from spawn to the first answer, server by server, turn by turn.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { startServer, stopServer } from "./children.mjs";
import { readerError } from "./errors.mjs";
import { compareReplies, firstReply } from "./reply.mjs";
import { inTurns } from "./turns.mjs";
import { cpuSeconds } from "./usage.mjs";

const fewest = 15;
const patience = 20_000; // ms

export async function measureStart(row, { rounds }, progress) {
  await checkReplies(row); // also brings the files of all of them into the page cache
  const spawns = Math.max(fewest, 3 * rounds);
  const samples = await inTurns(row.servers, spawns, (server, round) => {
    progress(`${row.name}: spawn ${round + 1} of ${spawns}, ${server.name}`);
    return startOnce(server, row);
  });
  return samples.map((ofServer) => ({ samples: ofServer }));
}

async function checkReplies(row) {
  const replies = [];
  for (const server of row.servers) {
    const running = await startServer(server);
    replies.push(await firstReply(running, row.request));
    await stopServer(running);
  }
  compareReplies(row, replies);
}

async function startOnce(server, { request }) {
  const running = await startServer(server);
  try {
    const deadline = running.spawned + patience;
    while (!(await isAnswered(running.port, request))) {
      if (performance.now() > deadline || running.child.exitCode !== null)
        throw readerError(`"${server.name}" does not answer.\n${running.said}`);
      await sleep(1);
    }
    return { value: performance.now() - running.spawned, cpu: cpuSeconds(running.pid), work: 1 };
  } finally {
    await stopServer(running);
  }
}

// A bare socket: a client with a pool would add milliseconds of its own.
function isAnswered(port, { method, path }) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1").setTimeout(patience, () => socket.destroy());
    socket.once("connect", () => socket.write(`${method} ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`));
    socket.once("error", () => resolve(false));
    socket.once("data", (chunk) => {
      socket.destroy();
      resolve(chunk.toString("latin1").startsWith("HTTP/1.1 200 "));
    });
    socket.once("close", () => resolve(false));
  });
}
