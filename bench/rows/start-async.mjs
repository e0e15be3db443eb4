import { ours, script } from "../lib/servers.mjs";

const context = {
  name: "hello",
  runtime: "Async",
  inputs: { in: { componentName: "in", componentType: "bindings.mqtt3" } },
  outputs: {},
};
const unequal = { headers: ["content-type"], why: "a text is plain for a component, and HTML for a browser" };

/** @type {import("../rows.mjs").Row} */
export const startAsync = {
  name: "start-async",
  title: "spawn of an asynchronous function to its first answer to a binding",
  measure: "start",
  request: { method: "POST", path: "/in" },
  servers: [
    ours(["--target=hello", "--source=hello-async.cjs"], { env: { FUNC_CONTEXT: JSON.stringify(context) } }),
    { ...ours(["--target=hello", "--source=hello.cjs"]), name: "ours, sync", unequal },
    script("node:http", "http-hello.cjs", { unequal }),
  ],
  bars: [{ against: "ours, sync", atMost: 1.3 }],
};
