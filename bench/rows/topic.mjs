import { ours, script } from "../lib/servers.mjs";

const context = {
  name: "deliver",
  version: "v1",
  runtime: "Async",
  port: "8080",
  inputs: { orders: { componentName: "pubsub", componentType: "pubsub.redis", uri: "orders" } },
  outputs: {},
};

const event = {
  id: "0b5c1b0e-6c0f-4f8e-9a53-3c5b0f2f4c11",
  source: "bench",
  type: "com.dapr.event.sent",
  specversion: "1.0",
  datacontenttype: "application/json",
  time: "2026-01-02T03:04:05Z",
  topic: "orders",
  pubsubname: "pubsub",
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  data: { order: 4711, items: ["tea", "cups"] },
};

/** @type {import("../rows.mjs").Row} */
export const topic = {
  name: "topic",
  title: "message of a topic, as daprd posts it on the announced route",
  measure: "load",
  request: {
    method: "POST",
    path: "/dapr/events/pubsub/orders",
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify(event),
  },
  servers: [
    ours(["--target=deliver", "--source=deliver.cjs"], { env: { FUNC_CONTEXT: JSON.stringify(context) } }),
    script("node:http", "http-topic.cjs"),
    script("DaprServer", "dapr-topic.cjs", {
      package: "@dapr/dapr",
      path: "/pubsub--orders--default",
      unequal: { headers: ["content-type"], why: 'it adds "; charset=utf-8", which daprd does not read' },
    }),
  ],
  bars: [
    { against: "node:http", atLeast: 0.75 },
    { against: "DaprServer", atLeast: 4 },
  ],
};
