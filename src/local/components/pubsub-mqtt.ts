/** pubsub.mqtt3: topics of an MQTT broker. */
import type { IPublishPacket } from "mqtt-packet";

import { log } from "../../core/log";
import { isTrueWord, metadataValue } from "../../dapr/metadata";
import type { ComponentType, MessageHandler, PubSubComponent } from "./component";
import { readMetadata } from "./metadata";
import { readConnection } from "./mqtt";
import type { MqttSession, Qos } from "./mqtt-session";
import { isWildcard, matchesFilter } from "./topic-filter";

export const pubsubMqtt: ComponentType = {
  names: ["pubsub.mqtt3", "pubsub.mqtt"],
  usesBroker: true,
  open(spec, environment): PubSubComponent {
    const metadata = readMetadata(spec, environment.appId);
    const connection = readConnection(spec, metadata, environment);
    const clientId = connection.clientId(metadata.text("consumerID") || environment.appId);
    const qos = metadata.whole("qos", 1, 0, 2) as Qos;
    const retain = metadata.flag("retain", false);
    const handlers = new Map<string, MessageHandler>();
    let producer: MqttSession | undefined;
    // Consumers by topic. Each has its own session, so that a topic whose room is full does not hold up another, and
    // the producer has one, because a consumer that reads nothing would not see the answers to what it publishes.
    const consumers = new Map<string, MqttSession>();

    // A kept session may hold the subscription of an earlier run: its message is for whoever handles that topic now.
    async function onMessage({ topic, payload, retain: isRetained }: IPublishPacket): Promise<void> {
      const filter = handlers.has(topic)
        ? topic
        : [...handlers.keys()].find((one) => matchesFilter(one, topic));
      const handler = filter === undefined ? undefined : handlers.get(filter);
      if (!handler) {
        log.warn(
          `A message on "${topic}" is left with the broker: nobody subscribes to that topic any more.`,
          { component: spec.name },
        );
        throw new Error("no handler");
      }
      await handler({ topic, payload: Buffer.from(payload), metadata: { retained: String(isRetained) } });
    }

    return {
      kind: "pubsub",
      name: spec.name,
      type: spec.type,
      version: spec.version,
      address: connection.address,
      capabilities: ["SUBSCRIBE_WILDCARDS"],

      async publish(topic, payload, request) {
        if (isWildcard(topic)) throw new Error(`a message cannot be published to the filter "${topic}"`);
        producer ??= connection.open(`${clientId}-producer`, { clean: true });
        const wantsRetain = metadataValue(request, "retain");
        await producer.publish(topic, payload, {
          qos,
          retain: wantsRetain === undefined ? retain : isTrueWord(wantsRetain),
        });
      },

      async subscribe(topic, handler) {
        handlers.set(topic, handler);
        if (consumers.has(topic)) return;
        const consumer = connection.open(`${clientId}-${topic}`, { onMessage });
        consumers.set(topic, consumer);
        await consumer.subscribe(topic, qos);
      },

      async stop() {
        await Promise.all([...consumers.values(), producer].map((session) => session?.stop()));
      },
    };
  },
};
