import { ours, script, typescript } from "../lib/servers.mjs";

const row = (name, title, { oursEnv, tsxEnv } = {}) => ({
  name,
  title,
  measure: "start",
  request: { method: "GET", path: "/" },
  servers: [
    ours(["--target=hello", "--source=hello.ts"], { env: oursEnv }),
    typescript("tsx", "http-hello.ts", { env: tsxEnv }),
    script("node:http", "http-hello.cjs"),
  ],
  bars: [],
});

/** @type {import("../rows.mjs").Row} */
export const startTypescript = row("start-ts", "spawn to the first answer, from TypeScript that is cached");

/** @type {import("../rows.mjs").Row} */
export const startTypescriptCold = row("start-ts-cold", "the same with nothing cached", {
  oursEnv: { FF_CACHE_DIR: "/dev/null" }, // cannot be written to: no cache
  tsxEnv: { TSX_DISABLE_CACHE: "1" },
});
