const { deliver } = require("../functions/deliver.cjs");
const { startDaprServer } = require("./dapr-server.cjs");

startDaprServer((server) => server.binding.receive("in", (data) => deliver({}, data)));
