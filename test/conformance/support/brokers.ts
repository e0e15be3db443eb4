/** mosquitto, redis and a file of secrets, and the components over them. */
import { join } from "node:path";
import type { TestContext } from "node:test";

import { startMosquitto, withoutMosquitto } from "../../support/mosquitto";
import { connectOutside, type OutsideClient } from "../../support/mqtt-client";
import { makeProject } from "../../support/project";
import { startRedis, withoutRedis } from "../../support/redis";
import type { Component } from "./sidecars";

/** Reason to skip, or false. */
export const withoutBrokers = withoutMosquitto || withoutRedis;

export interface Brokers {
  components: Component[];
  /** What arrives at these topics. */
  outside: OutsideClient;
}

/** `in`, `out` (bindings), `stream` (pub/sub), `store` (state), `vault` (secrets). */
export async function startBrokers(t: TestContext, topics: string[]): Promise<Brokers> {
  const broker = await startMosquitto();
  t.after(() => broker.stop());
  const redis = await startRedis(t);
  const outside = await connectOutside(broker.url, topics);
  t.after(() => outside.stop());
  const secrets = makeProject(t, { "secrets.json": '{"key":"secret","db":{"user":"u"}}' });
  const url = broker.url;
  return {
    outside,
    components: [
      { name: "in", type: "bindings.mqtt3", metadata: { url, topic: "in", consumerID: "in" } },
      {
        name: "out",
        type: "bindings.mqtt3",
        metadata: { url, topic: "out", consumerID: "out", direction: "output" },
      },
      { name: "stream", type: "pubsub.mqtt3", metadata: { url, consumerID: "stream", qos: "1" } },
      {
        name: "store",
        type: "state.redis",
        metadata: { redisHost: `127.0.0.1:${redis.port}`, redisPassword: "" },
      },
      {
        name: "vault",
        type: "secretstores.local.file",
        metadata: { secretsFile: join(secrets, "secrets.json") },
      },
    ],
  };
}
