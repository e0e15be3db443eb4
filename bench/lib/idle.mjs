// What a connection costs that does nothing: it had one answer, and stays open.
import { once } from "node:events";
import { connect } from "node:net";

import { inTurns } from "./turns.mjs";
import { requestTo, withServers } from "./up.mjs";
import { cpuSeconds, memory } from "./usage.mjs";

const connections = 2_000;
const atOnce = 50;

/** Per server: KiB of resident memory per connection, once: what was freed after a round would hide the next. */
export function measureIdle(row, _options, progress) {
  return withServers(row, async (running) => {
    for (const server of running) await openAll(server, row, atOnce).then(closeAll); // its code and its pools are there
    const samples = await inTurns(running, 1, async (server) => {
      progress(`${row.name}: ${connections} connections to ${server.name}`);
      const before = { cpu: cpuSeconds(server.pid), memory: memory(server.pid) };
      const sockets = await openAll(server, row, connections);
      const value = ((memory(server.pid) - before.memory) * 1024) / connections;
      const cpu = cpuSeconds(server.pid) - before.cpu;
      closeAll(sockets);
      return { value, cpu, work: connections };
    });
    return samples.map((ofServer) => ({ samples: ofServer }));
  });
}

async function openAll(server, row, count) {
  const sockets = [];
  while (sockets.length < count) {
    const next = Array.from({ length: Math.min(atOnce, count - sockets.length) }, () => openOne(server, row));
    sockets.push(...(await Promise.all(next)));
  }
  return sockets;
}

async function openOne(server, row) {
  const { method, path } = requestTo(server, row);
  const socket = connect(server.port, "127.0.0.1");
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  await once(socket, "data");
  return socket;
}

function closeAll(sockets) {
  for (const socket of sockets) socket.destroy();
}
