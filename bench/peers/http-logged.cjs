const { createServer } = require("node:http");

const body = "Hello World!";
let requests = 0;

// The line has the fields of ours, and so its size.
createServer((_req, res) => {
  const id = (++requests).toString(36).padStart(12, "0");
  const line = {
    time: new Date().toISOString(),
    level: "info",
    severity: "INFO",
    message: "One line for every request.",
    function: "logged",
    invocation: id,
    "logging.googleapis.com/labels": { execution_id: id },
  };
  process.stderr.write(`${JSON.stringify(line)}\n`);
  res.writeHead(200, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
  });
  res.end(body);
}).listen(process.env.PORT);
