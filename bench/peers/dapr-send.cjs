const { CommunicationProtocolEnum, DaprClient, LogLevel } = require("@dapr/dapr");
const { message, sends } = require("../functions/send.cjs");
const { listen } = require("./http-post.cjs");

const client = new DaprClient({
  daprHost: "127.0.0.1",
  daprPort: process.env.UPSTREAM.split(":").at(-1),
  communicationProtocol: CommunicationProtocolEnum.HTTP,
  logger: { level: LogLevel.Error },
});

listen("/", async (_body, res) => {
  for (let i = 0; i < sends; i++) await client.binding.send("out", "create", message);
  res.writeHead(204).end();
});
