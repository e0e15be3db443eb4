const { once } = require("node:events");
const { createServer } = require("node:http");
const { CommunicationProtocolEnum, DaprServer, LogLevel } = require("@dapr/dapr");

exports.startDaprServer = async (register, { protocol = CommunicationProtocolEnum.HTTP } = {}) => {
  const sidecar = createServer((_req, res) => res.end("{}")).listen(0, "127.0.0.1");
  await once(sidecar, "listening");
  const server = new DaprServer({
    serverPort: process.env.PORT,
    communicationProtocol: protocol,
    clientOptions: {
      daprHost: "127.0.0.1",
      daprPort: String(sidecar.address().port),
      communicationProtocol: CommunicationProtocolEnum.HTTP,
    },
    logger: { level: LogLevel.Error },
  });
  await register(server);
  await server.start(); // asks the sidecar for its metadata until it answers
  sidecar.close();
};
