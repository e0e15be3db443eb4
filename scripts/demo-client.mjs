/** An MQTT client for the demo: node demo-client.mjs BROKER SEND-TOPIC RECEIVE-TOPIC PAYLOAD prints the first message received. */
import { connectAsync } from "mqtt";

const [broker, send, receive, payload] = process.argv.slice(2);
const deadline = setTimeout(() => {
  console.error(`No message on ${receive} within 10 s.`);
  process.exit(1);
}, 10_000);

const client = await connectAsync(broker);
await client.subscribeAsync(receive, { qos: 1 });
const message = new Promise((resolve) =>
  client.once("message", (_topic, bytes) => resolve(bytes.toString("utf8"))),
);
await client.publishAsync(send, payload, { qos: 1 });
console.log(await message);
clearTimeout(deadline);
await client.endAsync();
