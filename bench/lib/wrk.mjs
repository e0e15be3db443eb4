// The load generator: one thread, 64 connections, and a Lua script for the request and the result.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runToEnd } from "./children.mjs";

export const load = { threads: 1, connections: 64 };

const patience = 30; // seconds for one reply: a large one on a busy machine

/** Loads one server; gives requests answered, bytes read and seconds taken. Any failed request is an error: it would count as fast. */
export async function runWrk({ port, path, request, seconds, connections = load.connections }) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  const script = join(folder, "request.lua");
  writeFileSync(script, luaScript(request));
  try {
    const output = await runToEnd("wrk", [
      `-t${load.threads}`,
      `-c${connections}`,
      `--timeout=${patience}s`,
      `-d${seconds}s`,
      `-s${script}`,
      `http://127.0.0.1:${port}${path}`,
    ]);
    const [, requests, bytes, microseconds, failed] = /^result (\d+) (\d+) (\d+) (\d+)$/m.exec(output) ?? [];
    if (failed !== "0") throw new Error(`${failed} of ${requests} requests failed:\n${output}`);
    return { requests: Number(requests), bytes: Number(bytes), seconds: Number(microseconds) / 1e6 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// JSON's string escapes are Lua's as long as the text is ASCII.
function luaScript({ method, headers = {}, body }) {
  return [
    `wrk.method = ${JSON.stringify(method)}`,
    ...Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = ${JSON.stringify(value)}`),
    ...(body === undefined ? [] : [`wrk.body = ${JSON.stringify(body)}`]),
    "done = function(summary)",
    "  local e = summary.errors",
    "  local failed = e.connect + e.read + e.write + e.status + e.timeout",
    '  print(string.format("result %d %d %d %d", summary.requests, summary.bytes, summary.duration, failed))',
    "end",
  ].join("\n");
}
