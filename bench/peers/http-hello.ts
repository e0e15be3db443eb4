import { createServer, type ServerResponse } from "node:http";

const body: string = "Hello World!";

createServer((_req: unknown, res: ServerResponse) => {
  res.writeHead(200, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
  });
  res.end(body);
}).listen(process.env.PORT);
