// The replies of a row's servers must be the same, or the row compares different work.
import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";

import { readerError } from "./errors.mjs";

const patience = 20_000; // ms: DaprServer loads for a while on a busy machine

/** Asks until the server answers with a 2xx. */
export async function firstReply(server, request) {
  const deadline = performance.now() + patience;
  let last = "no answer";
  while (performance.now() < deadline) {
    if (server.child.exitCode !== null) break;
    const reply = await (isGrpc(request) ? call : ask)(server.port, request).catch((err) => ({
      status: 0,
      body: err.message,
    }));
    if (reply.status >= 200 && reply.status < 300) return reply;
    last = `${reply.status} ${reply.body}`;
    await sleep(20);
  }
  throw readerError(`"${server.name}" does not answer (${last}).\n${server.said}`);
}

/** Throws with the difference when a reply is not what ours is. */
export function compareReplies(row, replies) {
  const [ours, ...others] = replies;
  for (const [index, reply] of others.entries()) {
    const { name, unequal } = row.servers[index + 1];
    for (const field of Object.keys(ours)) {
      if (unequal?.headers.includes(field) || reply[field] === ours[field]) continue;
      throw readerError(
        `Row "${row.name}": the ${field} of "${name}" is ${JSON.stringify(reply[field])}, ours is ${JSON.stringify(ours[field])}.`,
      );
    }
  }
}

// A large one by its hash: all replies of a row are held at once.
function textOf(body) {
  return body.length > 10_000
    ? `sha256 ${createHash("sha256").update(body).digest("hex")}`
    : body.toString("latin1");
}

function ask(port, { method, path, headers, body }) {
  return new Promise((resolve, reject) => {
    const req = httpRequest({ port, host: "127.0.0.1", method, path, headers, agent: false }, async (res) => {
      const chunks = await res.toArray();
      resolve({
        status: res.statusCode,
        "content-type": res.headers["content-type"],
        "content-length": res.headers["content-length"],
        body: textOf(Buffer.concat(chunks)),
      });
    });
    req.once("error", reject);
    req.end(body);
  });
}

function isGrpc({ headers }) {
  return headers?.["content-type"] === "application/grpc";
}

function call(port, { method, path, headers, body }) {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`).once("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    const reply = { status: 0, "grpc-status": undefined, body: "" };
    const look = (received) => {
      reply.status = received[":status"] ?? reply.status;
      reply["grpc-status"] = received["grpc-status"] ?? reply["grpc-status"];
    };
    stream.on("response", look).on("trailers", look).once("error", reject);
    stream.setEncoding("latin1").on("data", (text) => {
      reply.body += text;
    });
    stream.once("close", () => session.close(() => resolve(reply)));
    stream.end(body);
  });
}
