const { deliver } = require("../functions/deliver.cjs");
const { listen } = require("./http-post.cjs");

const reply = '{"status":"SUCCESS"}';

listen("/dapr/events/pubsub/orders", async (body, res) => {
  const event = JSON.parse(body);
  await deliver({ event }, event.data);
  res.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(reply) });
  res.end(reply);
});
