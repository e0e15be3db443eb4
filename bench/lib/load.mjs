// Requests per second: all servers of a row are up, one is loaded at a time, turn by turn.
import { startServer, stopServer } from "./children.mjs";
import { compareReplies, firstReply } from "./reply.mjs";
import { inTurns } from "./turns.mjs";
import { cpuSeconds, memory } from "./usage.mjs";
import { runWrk } from "./wrk.mjs";

const warmUp = 2; // seconds, so that the optimised code is what is measured

/** Per server: one sample a round, and the resident memory when all is done. */
export async function measureLoad(row, { rounds, seconds }, progress) {
  const running = [];
  try {
    for (const server of row.servers) running.push(await startServer(server));
    const replies = [];
    for (const server of running) replies.push(await firstReply(server, requestTo(server, row)));
    compareReplies(row, replies);
    for (const server of running) {
      progress(`${row.name}: ${server.name} warms up`);
      await loadOnce(server, row, warmUp);
    }
    const samples = await inTurns(running, rounds, (server, round) => {
      progress(`${row.name}: round ${round + 1} of ${rounds}, ${server.name}`);
      return loadOnce(server, row, seconds);
    });
    return running.map(({ pid }, index) => ({ samples: samples[index], memory: memory(pid) }));
  } finally {
    await Promise.all(running.map(stopServer));
  }
}

async function loadOnce(server, row, seconds) {
  const before = cpuSeconds(server.pid);
  const { path, ...request } = requestTo(server, row);
  const done = await runWrk({ port: server.port, path, request, seconds });
  return {
    value: done.requests / done.seconds,
    cpu: cpuSeconds(server.pid) - before,
    work: done.requests,
  };
}

function requestTo(server, { request }) {
  return { ...request, path: server.path ?? request.path };
}
