const { deliver } = require("../functions/deliver.cjs");
const { listen } = require("./http-post.cjs");

listen("/in", async (body, res) => {
  await deliver({}, JSON.parse(body));
  res.writeHead(200, { "Content-Length": 0 });
  res.end();
});
