import { ours, script } from "../lib/servers.mjs";

const context = {
  name: "deliver",
  version: "v1",
  runtime: "Async",
  port: "8080",
  inputs: { in: { componentName: "in", componentType: "bindings.mqtt3" } },
  outputs: {},
};

/** @type {import("../rows.mjs").Row} */
export const binding = {
  name: "binding",
  title: "message of an input binding, as daprd posts it",
  measure: "load",
  request: {
    method: "POST",
    path: "/in",
    headers: { "content-type": "application/json" },
    body: '{"order":4711,"items":["tea","cups"]}',
  },
  servers: [
    ours(["--target=deliver", "--source=deliver.cjs"], { env: { FUNC_CONTEXT: JSON.stringify(context) } }),
    script("node:http", "http-binding.cjs"),
    script("DaprServer", "dapr-binding.cjs", { package: "@dapr/dapr" }),
  ],
  bars: [
    { against: "node:http", atLeast: 0.75 },
    { against: "DaprServer", atLeast: 4 },
  ],
};
