// Loaded with --require: says on stderr where the process listens, for modes that print no banner.
const { subscribe } = require("node:diagnostics_channel");

subscribe("tracing:net.server.listen:asyncEnd", ({ server }) => {
  process.stderr.write(`listening on port ${server.address().port}\n`);
});
