import { ours, script } from "../lib/servers.mjs";

/** What a deployment turns on. */
export const flags = ["--health", "--metrics", "--log-execution-id"];

/** @type {import("../rows.mjs").Row} */
export const features = {
  name: "features",
  title: `hello with ${flags.join(" ")}`,
  measure: "load",
  request: { method: "GET", path: "/" },
  servers: [ours(["--target=hello", "--source=hello.cjs", ...flags]), script("node:http", "http-hello.cjs")],
  bars: [],
};
