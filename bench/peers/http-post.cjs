const { createServer } = require("node:http");

/** The least that a correct receiver does: one route, the whole body. */
exports.listen = (path, receive) => {
  createServer((req, res) => {
    if (req.method !== "POST" || req.url !== path) return res.writeHead(404).end();
    const chunks = [];
    req.on("data", (chunk) => chunks.push(chunk));
    req.on("end", () => receive(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), res));
  }).listen(process.env.PORT);
};
