// The load generator for gRPC: one HTTP/2 connection, as a sidecar has it, with 64 calls at once.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runToEnd } from "./children.mjs";
import { load } from "./wrk.mjs";

/** The same as `runWrk`. A call whose gRPC status is an error counts: the first replies have been compared. */
export async function runH2load({ port, path, request, seconds, connections = load.connections }) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const body = join(folder, "body");
  writeFileSync(body, request.body);
  try {
    const headers = Object.entries(request.headers).map(([name, value]) => `--header=${name}: ${value}`);
    const output = await runToEnd("h2load", [
      ...["--clients=1", `--max-concurrent-streams=${connections}`, `--duration=${seconds}`],
      ...[`--data=${body}`, ...headers, `http://127.0.0.1:${port}${path}`],
    ]);
    const [, requests, failed] = /(\d+) succeeded, (\d+) failed/.exec(output) ?? [];
    const [, bytes] = /^traffic: .*?\((\d+)\) total/m.exec(output) ?? [];
    if (failed !== "0") throw new Error(`${failed} of ${requests} calls failed:\n${output}`);
    return { requests: Number(requests), bytes: Number(bytes), seconds };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
