const { CommunicationProtocolEnum } = require("@dapr/dapr");

const { deliver } = require("../functions/deliver.cjs");
const { startDaprServer } = require("./dapr-server.cjs");

startDaprServer((server) => server.pubsub.subscribe("pubsub", "orders", (data) => deliver({}, data)), {
  protocol: CommunicationProtocolEnum.GRPC,
});
