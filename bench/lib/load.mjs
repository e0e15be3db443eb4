// Requests per second, or megabytes: all servers of a row are up, one is loaded at a time, turn by turn.
import { inTurns } from "./turns.mjs";
import { requestTo, withServers } from "./up.mjs";
import { cpuSeconds, memory } from "./usage.mjs";
import { runWrk } from "./wrk.mjs";

const warmUp = 2; // seconds, so that the optimised code is what is measured

/** Per server: one sample a round, and the resident memory when all is done. */
export function measureLoad(row, { rounds, seconds }, progress) {
  return withServers(row, async (running) => {
    for (const server of running) {
      progress(`${row.name}: ${server.name} warms up`);
      await loadOnce(server, row, warmUp);
    }
    const samples = await inTurns(running, rounds, (server, round) => {
      progress(`${row.name}: round ${round + 1} of ${rounds}, ${server.name}`);
      return loadOnce(server, row, seconds);
    });
    return running.map(({ pid }, index) => ({ samples: samples[index], memory: memory(pid) }));
  });
}

async function loadOnce(server, row, seconds) {
  const before = cpuSeconds(server.pid);
  const { path, ...request } = requestTo(server, row);
  const done = await runWrk({ port: server.port, path, request, seconds, connections: row.connections });
  const work = row.unit === "MB" ? done.bytes / 1e6 : done.requests * (row.worth ?? 1);
  return { value: work / done.seconds, cpu: cpuSeconds(server.pid) - before, work };
}
