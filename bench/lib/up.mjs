// The servers of a row, all up at once, after their replies were found equal.
import { startServer, stopServer } from "./children.mjs";
import { compareReplies, firstReply } from "./reply.mjs";

export async function withServers(row, use) {
  const started = [];
  const start = async (server, upstream) => {
    const running = await startServer(server, upstream);
    started.push(running);
    return running;
  };
  try {
    const upstream = row.upstream?.address(await start(row.upstream));
    const running = [];
    for (const server of row.servers) running.push(await start(server, upstream));
    const replies = [];
    for (const server of running) replies.push(await firstReply(server, requestTo(server, row)));
    compareReplies(row, replies);
    return await use(running);
  } finally {
    await Promise.all(started.map(stopServer));
  }
}

export function requestTo(server, { request }) {
  return { ...request, path: server.path ?? request.path };
}
