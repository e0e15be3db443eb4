const { createServer } = require("node:http");
const { createProxy } = require("../../dist/gateway/proxy/proxy.js");

const proxy = createProxy();
const target = { address: process.env.UPSTREAM };
createServer((req, res) => proxy.forward(req, res, target)).listen(process.env.PORT);
