import { create, toBinary } from "@bufbuild/protobuf";
import { TopicEventRequestSchema } from "@dapr/dapr/proto/dapr/proto/runtime/v1/appcallback_pb.js";

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
  specVersion: "1.0",
  dataContentType: "application/json",
  data: Buffer.from(JSON.stringify({ order: 4711, items: ["tea", "cups"] })),
  topic: "orders",
  pubsubName: "pubsub",
  extensions: {
    time: "2026-01-02T03:04:05Z",
    topic: "orders",
    pubsubname: "pubsub",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  },
};

/** The same bytes to all: to our function the path is one of those it goes by pub/sub and topic for. */
function frame() {
  const message = toBinary(
    TopicEventRequestSchema,
    create(TopicEventRequestSchema, { ...event, path: "/pubsub--orders--default" }),
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** @type {import("../rows.mjs").Row} */
export const grpc = {
  name: "grpc",
  title: "message of a topic over gRPC, as daprd calls it, on one connection",
  measure: "load",
  protocol: "grpc",
  request: {
    method: "POST",
    path: "/dapr.proto.runtime.v1.AppCallback/OnTopicEvent",
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: frame(),
  },
  servers: [
    ours(["--target=deliver", "--source=deliver.cjs"], {
      env: { FUNC_CONTEXT: JSON.stringify(context), APP_PROTOCOL: "grpc" },
    }),
    script("DaprServer", "dapr-grpc.cjs", { package: "@dapr/dapr" }),
    script("grpc-js", "grpc-topic.cjs", { package: "@grpc/grpc-js" }),
  ],
  bars: [{ against: "DaprServer", atLeast: 4 }],
};
