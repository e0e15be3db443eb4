import { sidecar } from "../lib/nginx.mjs";
import { ours, script } from "../lib/servers.mjs";

const context = {
  name: "send",
  version: "v1",
  runtime: "Knative",
  port: "8080",
  inputs: {},
  outputs: { out: { componentName: "out", componentType: "bindings.mqtt3", operation: "create" } },
};

/** @type {import("../rows.mjs").Row} */
export const send = {
  name: "send",
  title: "ctx.send to an output binding of a stand-in sidecar (nginx), ten for each request",
  measure: "load",
  unit: "send",
  worth: 10,
  request: { method: "POST", path: "/" },
  upstream: sidecar(),
  servers: [
    ours(["--target=send", "--source=send.cjs", "--signature-type=openfunction"], {
      env: ({ upstream }) => ({
        FUNC_CONTEXT: JSON.stringify(context),
        DAPR_HTTP_PORT: upstream.split(":").at(-1),
      }),
    }),
    script("DaprClient", "dapr-send.cjs", { package: "@dapr/dapr" }),
    script("undici", "undici-send.cjs"),
  ],
  bars: [{ against: "DaprClient", of: "cpu", atLeast: 2.3 }],
};
