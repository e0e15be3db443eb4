/** One request as bytes on a connection, and all that can be compared of its answer. */
import { once } from "node:events";
import { request as openRequest } from "node:http";
import { connect } from "node:net";

import { withDeadline } from "../../support/wait";

export interface Exchange {
  /** Default: GET. */
  method?: string;
  /** Default: `/`. */
  path?: string;
  headers?: Record<string, string | string[]>;
  /** A list is sent chunked, a part a chunk. */
  body?: string | Buffer | string[];
  /** In place of all the above: the text of a whole request, sent as it is. */
  raw?: string;
}

export interface Answer {
  /**
   * The status; or `hangs` (no head within the deadline), `reset` (the connection ends without a head), `N and hangs`,
   * `N and cut` (the body has no end), `no server`.
   */
  end: string;
  /** Name and value, as on the wire and in its order, informational answers first; without Date. */
  headers: [name: string, value: string][];
  body: Buffer;
}

const host = "functions.example"; // some answers repeat it, so it is the same for both

/** Never rejects: a failure is an answer too. */
export function exchange(port: number, asked: Exchange, deadline: number): Promise<Answer> {
  return asked.raw === undefined ? requested(port, asked, deadline) : conversed(port, asked.raw, deadline);
}

async function requested(port: number, asked: Exchange, deadline: number): Promise<Answer> {
  const { method = "GET", path = "/", headers = {}, body } = asked;
  const isWhole = typeof body === "string" || Buffer.isBuffer(body);
  const length = isWhole ? { "Content-Length": String(Buffer.byteLength(body)) } : {};
  const req = openRequest({
    ...{ host: "127.0.0.1", port, method, path, agent: false },
    headers: { Host: host, Connection: "close", ...length, ...headers },
  });
  const answer: Answer = { end: "reset", headers: [], body: Buffer.alloc(0) };
  req.on("information", ({ statusCode, rawHeaders }) => {
    answer.headers.push(["(informational)", String(statusCode)], ...pairs(rawHeaders));
  });
  try {
    if (isWhole) req.end(body);
    else {
      for (const part of body ?? []) req.write(part);
      req.end();
    }
    await withDeadline(readAnswer(req, answer), "the answer", deadline);
  } catch (err) {
    const isLate = /^Not within/.test((err as Error).message);
    if (answer.end !== "reset") answer.end += isLate ? " and hangs" : " and cut";
    else if (isLate) answer.end = "hangs";
    else if ((err as NodeJS.ErrnoException).code === "ECONNREFUSED") answer.end = "no server";
  } finally {
    req.on("error", () => undefined).destroy();
  }
  return answer;
}

async function readAnswer(req: ReturnType<typeof openRequest>, answer: Answer): Promise<void> {
  const [res] = await once(req, "response");
  answer.end = String(res.statusCode);
  answer.headers.push(...pairs(res.rawHeaders));
  for await (const part of res) answer.body = Buffer.concat([answer.body, part]);
}

/** Everything that comes back until the server closes, as a body; the head is part of it. */
async function conversed(port: number, text: string, deadline: number): Promise<Answer> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  let received = Buffer.alloc(0);
  socket.on("data", (part) => {
    received = Buffer.concat([received, part]);
  });
  socket.write(text);
  const end = await withDeadline(once(socket, "close"), "the end", deadline).then(
    () => "closed",
    () => "hangs",
  );
  socket.destroy();
  const body = received.toString("latin1").replace(/^Date: .*\r\n/gm, "");
  return {
    end: received.length > 0 || end === "hangs" ? end : "reset",
    headers: [],
    body: Buffer.from(body),
  };
}

function pairs(rawHeaders: string[]): [string, string][] {
  const all: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at] !== "Date") all.push([String(rawHeaders[at]), String(rawHeaders[at + 1])]);
  return all;
}
