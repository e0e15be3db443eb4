// The shortest loop that undici allows: its pool, its dispatch, raw header lists both ways.
const { createServer } = require("node:http");
const { Pool } = require("undici");

const [, kind, rest] = /^(tcp|unix):(.*)$/.exec(process.env.UPSTREAM);
const pool =
  kind === "tcp"
    ? new Pool(`http://${rest}`, { connections: 128 })
    : new Pool("http://localhost", { connections: 128, socketPath: rest });
const ofTheConnection = new Set(["connection", "keep-alive", "transfer-encoding"]);

createServer((req, res) => {
  const headers = withoutConnection(req.rawHeaders);
  headers.push("X-Forwarded-For", req.socket.remoteAddress, "X-Forwarded-Proto", "http");
  let upstream;
  res.on("close", () => !res.writableEnded && upstream?.abort(new Error("the client left")));
  const body = req.headers["content-length"] || req.headers["transfer-encoding"] ? req : null;
  pool.dispatch(
    { method: req.method, path: req.url, headers, body },
    {
      onRequestStart(controller) {
        upstream = controller;
      },
      onResponseStart(controller, status, _headers, reason) {
        const raw = controller.rawHeaders.map((part) => part.toString("latin1"));
        res.writeHead(status, reason, withoutConnection(raw));
      },
      onResponseData(controller, chunk) {
        if (res.write(chunk)) return;
        controller.pause();
        res.once("drain", () => controller.resume());
      },
      onResponseEnd: () => res.end(),
      onResponseError: () => (res.headersSent ? res.destroy() : res.writeHead(502).end()),
    },
  );
}).listen(process.env.PORT);

function withoutConnection(raw) {
  const kept = [];
  for (let index = 0; index < raw.length; index += 2)
    if (!ofTheConnection.has(raw[index].toLowerCase())) kept.push(raw[index], raw[index + 1]);
  return kept;
}
