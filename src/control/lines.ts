/** NDJSON: one object a line, as they come. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";

/** Takes the next one when the client has read what it was sent. */
export async function sendLines(
  res: ServerResponse,
  lines: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  res.writeHead(200, {
    "Content-Type": "application/x-ndjson",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  if (res.req.method === "HEAD") return void res.end();
  res.flushHeaders(); // the client knows that it follows, before there is a line
  for await (const line of lines) {
    if (res.destroyed) return;
    const hasRoom = res.write(`${JSON.stringify(line)}\n`);
    if (!hasRoom && !signal.aborted) await once(res, "drain", { signal }).catch(() => undefined); // the lines end then
  }
  res.end();
}
