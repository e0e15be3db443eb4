/** The fuzz test itself: it repeats itself, and it sees what is wrong with a server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";

import { drawConversation } from "../../support/fuzz/conversation";
import { Random } from "../../support/fuzz/random";
import { MalformedReply, ReplyReader } from "../../support/fuzz/reply-reader";
import { run } from "../../support/fuzz/run";
import { documentedStatuses } from "../../support/fuzz/statuses";
import { type TargetPlan, targets } from "../../support/fuzz/targets";

const target = targets.find(({ name }) => name === "http") as TargetPlan;

test("a seed and an index draw the same bytes every time, and others draw others", () => {
  const draw = (seed: number, index: number) =>
    drawConversation(new Random(seed, index), target, target.probe);

  assert.deepEqual(draw(1, 2), draw(1, 2));
  assert.notDeepEqual(draw(1, 2), draw(1, 3));
  assert.notDeepEqual(draw(1, 2), draw(2, 2));
});

test("the statuses are read from docs/errors.md", () => {
  for (const status of [200, 204, 400, 404, 500, 504]) assert.ok(documentedStatuses().has(status));
  assert.ok(!documentedStatuses().has(418));
});

/** What a broken server says to whatever comes, and what is told of it. */
const faults: [title: string, answer: string | undefined, told: RegExp][] = [
  ["no answer", undefined, /neither answered nor closed|not answered after/],
  [
    "a status that is not documented",
    "HTTP/1.1 418 Tea\r\nContent-Length: 0\r\n\r\n",
    /418 is not documented/,
  ],
  ["a 500 of its own", "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", /no failure of the function: no/],
  [
    "a failure of a function that does not fail",
    "HTTP/1.1 500 Oh\r\nX-OpenFunction-Status: crash\r\nContent-Length: 2\r\n\r\nno",
    /answered as failed: no/,
  ],
  ["no HTTP", "hello\r\n\r\n", /a reply begins with|Parse Error/],
  [
    "the wrong answer to the probe",
    "HTTP/1.1 204 None\r\n\r\n".repeat(9),
    /replies to|the probe is answered|Parse Error/,
  ],
];

for (const [title, answer, told] of faults) {
  test(`it sees ${title}`, async (t) => {
    const port = await startBroken(t, (socket) => answer !== undefined && socket.write(answer));

    await assert.rejects(send(port), told);
  });
}

test("it sees a connection that is closed without a word", async (t) => {
  const port = await startBroken(t, (socket) => socket.end());

  await assert.rejects(send(port), /closed unannounced|the connection broke/);
});

test("it sees trouble in the processes, and says how to see it again", async (t) => {
  const port = await startBroken(t, (socket) => socket.end());

  await assert.rejects(
    send(port, () => "it has ended"),
    /^Error: FUZZ_SEED=1 FUZZ_FIRST=\d+ FUZZ_COUNT=1 /,
  );
});

function send(port: number, problem: () => string | undefined = () => undefined) {
  return run({ seed: 1, first: 0, count: 200, targets: [{ ...target, port }], problem, patience: 500 });
}

async function startBroken(t: TestContext, say: (socket: Socket) => unknown): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => say(socket));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

const malformed: [title: string, bytes: string, method?: string][] = [
  ["a bare line feed", "HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n"],
  ["another version", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 42 Odd\r\nContent-Length: 0\r\n\r\n"],
  ["a control character in a header", "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n"],
  ["a space before the colon", "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n"],
  ["a header twice", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"],
  [
    "a length and chunks",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["a length that is none", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
  ["no end", "HTTP/1.1 200 OK\r\n\r\nbody"],
  ["a length without a body", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"],
  ["a chunk of another size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"],
  ["a body after a HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", "HEAD"],
];

for (const [title, bytes, method = "GET"] of malformed) {
  test(`the reader of replies refuses ${title}`, () => {
    const reader = new ReplyReader([method]);

    assert.throws(() => reader.push(Buffer.from(bytes, "latin1")), MalformedReply);
  });
}

test("the reader of replies reads them in whatever pieces they come", () => {
  const text = [
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nto the end",
  ].join("");
  for (const size of [1, 7, 1_000]) {
    const reader = new ReplyReader(["HEAD", "GET", "POST", "GET", "GET"]);

    for (let at = 0; at < text.length; at += size) reader.push(Buffer.from(text.slice(at, at + size)));
    reader.end();

    assert.deepEqual(
      reader.replies.map(({ status, body }) => [status, String(body)]),
      [
        [200, ""],
        [200, "ab"],
        [204, ""],
        [200, "abc"],
        [400, "to the end"],
      ],
    );
    assert.deepEqual(
      reader.interim.map(({ status }) => status),
      [100],
    );
    assert.equal(reader.rest.length, 0);
  }
});
