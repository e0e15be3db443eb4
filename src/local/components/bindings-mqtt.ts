/** bindings.mqtt3: one topic in, one topic out. Quality of service is always 1, as Dapr has it. */
import type { BindingComponent, ComponentType } from "./component";
import { readMetadata } from "./metadata";
import { readConnection } from "./mqtt";
import type { MqttSession } from "./mqtt-session";

export const bindingsMqtt: ComponentType = {
  names: ["bindings.mqtt3", "bindings.mqtt"],
  usesBroker: true,
  open(spec, environment): BindingComponent {
    const metadata = readMetadata(spec, environment.appId);
    const connection = readConnection(spec, metadata, environment);
    const topic = metadata.required("topic");
    const clientId = connection.clientId(metadata.required("consumerID"));
    const retain = metadata.flag("retain", false);
    const sessions: MqttSession[] = [];
    let producer: MqttSession | undefined;

    const open: typeof connection.open = (...args) => {
      const session = connection.open(...args);
      sessions.push(session);
      return session;
    };

    return {
      kind: "binding",
      name: spec.name,
      type: spec.type,
      version: spec.version,
      address: connection.address,
      capabilities: ["INPUT_BINDING", "OUTPUT_BINDING"],
      operations: ["create"],

      async read(handler) {
        const consumer = open(`${clientId}-consumer`, {
          onMessage: (packet) =>
            handler({
              topic: packet.topic,
              payload: Buffer.from(packet.payload),
              metadata: { topic: packet.topic },
            }),
        });
        await consumer.subscribe(topic, 1);
      },

      async invoke({ data, metadata: request }) {
        producer ??= open(`${clientId}-producer`, { clean: true }); // a producer has nothing to be kept
        await producer.publish(request.topic || topic, data, { qos: 1, retain });
        return {};
      },

      stop: async () => void (await Promise.all(sessions.map((session) => session.stop()))),
    };
  },
};
