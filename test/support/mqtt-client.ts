/** An outside MQTT client (the mqtt package) that keeps what it receives. */
import { EventEmitter } from "node:events";
import { connectAsync, type IClientOptions } from "mqtt";

import { until } from "./wait";

export interface OutsideClient extends EventEmitter {
  readonly received: { topic: string; text: string }[];
  publish(topic: string, payload: string | Buffer, qos?: 0 | 1 | 2): Promise<void>;
  /** Resolves when so many messages are there. */
  count(wanted: number): Promise<void>;
  stop(): Promise<void>;
}

export async function connectOutside(
  url: string,
  topics: string[] = [],
  options: IClientOptions = {},
): Promise<OutsideClient> {
  const client = await connectAsync(url.replace(/^tcp:/, "mqtt:"), { protocolVersion: 4, ...options });
  const received: { topic: string; text: string }[] = [];
  const outside: OutsideClient = Object.assign(new EventEmitter(), {
    received,
    publish: async (topic: string, payload: string | Buffer, qos: 0 | 1 | 2 = 1) =>
      void (await client.publishAsync(topic, payload, { qos })),
    count: (wanted: number) =>
      until(() => received.length >= wanted, outside, "message", `${wanted} messages of ${topics}`),
    stop: () => client.endAsync(),
  });
  client.on("message", (topic, payload) => {
    received.push({ topic, text: payload.toString("utf8") });
    outside.emit("message");
  });
  if (topics.length > 0) await client.subscribeAsync(topics, { qos: 1 });
  return outside;
}
