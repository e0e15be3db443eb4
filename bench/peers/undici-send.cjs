const { Pool } = require("undici");
const { message, sends } = require("../functions/send.cjs");
const { listen } = require("./http-post.cjs");

const pool = new Pool(`http://127.0.0.1:${process.env.UPSTREAM.split(":").at(-1)}`, { connections: 128 });

listen("/", async (_body, res) => {
  for (let i = 0; i < sends; i++) {
    const body = JSON.stringify({ operation: "create", data: message });
    const headers = { "content-type": "application/json" };
    const reply = await pool.request({ method: "POST", path: "/v1.0/bindings/out", headers, body });
    await reply.body.dump();
  }
  res.writeHead(204).end();
});
