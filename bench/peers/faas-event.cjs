const { start } = require("faas-js-runtime");
const { event } = require("../functions/event.cjs");

start((_context, received) => event(received), { port: process.env.PORT });
