import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";

import { type Framework, startFramework } from "./support/framework";
import { converse, type Reply, refusal, request } from "./support/http";

const project = "http-failures";
let framework: Framework;

before(async () => {
  framework = await startFramework(["--target=fail"], { project });
});
after(() => framework.stop());

const crashes: [path: string, text: string | RegExp][] = [
  ["throws-error", "no luck <b>"],
  ["throws-text", "a bare text"],
  ["throws-object", "an object's message"],
  ["throws-number", "42"],
  ["throws-null", "null"],
  ["throws-undefined", "undefined"],
  ["rejects-error", "rejected"],
  ["rejects-null", "null"],
  ["rejects-undefined", "undefined"],
  ["thenable-rejects", "foreign"],
  ["thenable-rejects-null", "null"],
  ["throws-in-timer", "in a timer"],
  ["throws-null-in-timer", "null"],
  ["throws-in-emitter", "nobody listens"],
  ["throws-in-stream", "in a stream"],
  ["unhandled-rejection", "nobody waits"],
  ["unhandled-null", /null/],
  ["circular-json", /circular/],
  ["line-break-in-header", /Invalid character in header/],
  ["status-42", /status code/i],
  ["headers-then-throws", "after headers"],
  ["throws-proxy", "a thrown value of type object that has no text"],
];

for (const [path, text] of crashes) {
  test(`500 crash, and the process serves on: ${path}`, async () => {
    const reply = await request(`${framework.url}/${path}`);
    const next = await request(`${framework.url}/ok`);

    assertCrash(reply);
    if (typeof text === "string") assert.equal(reply.text, text);
    else assert.match(reply.text, text);
    assert.equal(next.text, "well");
  });
}

test("what was prepared for the answer that failed is not in the crash reply", async () => {
  const reply = await request(`${framework.url}/headers-then-throws`);

  assertCrash(reply);
  for (const name of ["x-half", "set-cookie", "content-encoding"])
    assert.equal(reply.headers[name], undefined);
});

test("a crash is logged once, with the user's stack, the function and the invocation", async (t) => {
  const alone = await startFramework(["--target=fail"], { project });
  t.after(alone.stop);

  await request(`${alone.url}/throws-error`);
  await alone.says("no luck <b>");

  const [line, ...more] = alone.logs() as unknown as Record<string, string>[];
  assert.deepEqual(more, []);
  assert.equal(line?.level, "error");
  assert.equal(line?.message, "no luck <b>");
  assert.equal(line?.function, "fail");
  assert.match(line?.invocation ?? "", /^[a-z0-9]{12}$/);
  assert.match(line?.stack ?? "", /http-failures\/index\.js:\d+:\d+/);
  assert.doesNotMatch(line?.stack ?? "", /\/dist\//);
});

const late = [
  ["throws-after-answer", "too late, thrown"],
  ["rejects-after-answer", "too late, rejected"],
  ["timer-after-answer", "too late, timer"],
] as const;

for (const [path, logged] of late) {
  test(`an error after the answer changes nothing for the client: ${path}`, async () => {
    const reply = await request(`${framework.url}/${path}`);
    await framework.says(logged);
    const next = await request(`${framework.url}/ok`);

    assert.deepEqual([reply.status, reply.text], [200, "answered"]);
    assert.equal(next.text, "well");
  });
}

test("of two answers the first one counts, and the second is logged", async () => {
  const reply = await request(`${framework.url}/sends-twice`);
  await framework.says("Cannot set headers after they are sent to the client");

  assert.deepEqual([reply.status, reply.text], [200, "first"]);
});

for (const path of ["throws-after-part", "timer-after-part", "rejects-after-part"]) {
  test(`an answer that fails half-way looks broken to the client: ${path}`, async () => {
    const text = await converse(framework.port, `GET /${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const next = await request(`${framework.url}/ok`);

    assert.ok(!text.includes("\r\n0\r\n\r\n"), "no last chunk");
    await assert.rejects(request(`${framework.url}/${path}`), /socket hang up|aborted|ECONNRESET/);
    assert.equal(next.text, "well");
  });
}

test("a connection ends after an exception that no try catches, so that no pipelined request waits for ever", async () => {
  const first = "GET /throws-in-stream HTTP/1.1\r\nHost: x\r\n\r\n";
  const next = "POST /ok HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx";

  const text = await converse(framework.port, first + next);

  assert.match(text, /^HTTP\/1\.1 500 /);
  assert.match(text, /^Connection: close\r$/m);
});

test("a half-written answer in line behind another ends the connection when its turn comes", async () => {
  const get = (path: string) => `GET /${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

  const text = await converse(
    framework.port,
    get("thenable-rejects-null") + get("rejects-after-part") + get("ok"),
  );

  assert.match(text, /^HTTP\/1\.1 500 /);
  assert.doesNotMatch(text, /first half.*HTTP/s);
});

test("an exception in a tick after the answer ends the connection, on which nothing more would be read", async () => {
  const first = "GET /tick-after-answer HTTP/1.1\r\nHost: x\r\n\r\n";
  const next = "POST /ok HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nwhole";

  const text = await converse(framework.port, first + next);

  assert.match(text, /^HTTP\/1\.1 200 /);
});

test("an exception in a timer after the answer leaves the connection to the next request", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });

  const first = await request(`${framework.url}/timer-after-answer`, { agent });
  await framework.says("too late, timer");
  const next = await request(`${framework.url}/ok`, { agent });
  agent.destroy();

  assert.deepEqual([first.status, next.text], [200, "well"]);
  assert.equal(next.headers.connection, "keep-alive");
});

test("many failures at once each get their own answer", async () => {
  const paths = Array.from({ length: 30 }, (_, index) => crashes[index % crashes.length] as [string, string]);

  const replies = await Promise.all(paths.map(([path]) => request(`${framework.url}/${path}`)));

  replies.forEach((reply, index) => {
    const text = paths[index]?.[1] as string | RegExp;
    assertCrash(reply);
    assert.match(reply.text, typeof text === "string" ? new RegExp(`^${text}$`) : text);
  });
});

test("production hides the message of a crash from the client, not from the log", async (t) => {
  const production = await startFramework(["--target=fail"], { project, env: { NODE_ENV: "production" } });
  t.after(production.stop);

  const reply = await request(`${production.url}/throws-error`);
  await production.says("no luck");

  assertCrash(reply);
  assert.match(reply.text, /^Internal Server Error \(id [a-z0-9]{12}\)$/);
});

for (const [word, why] of [
  ["crash", "background work failed"],
  ["reject", "background promise failed"],
] as const) {
  test(`an error outside of any invocation finishes what is in flight and exits 16: ${word}`, async (t) => {
    const waiting = await startFramework(["--target=wait"], { project });
    t.after(waiting.stop);
    const pending = request(waiting.url);
    await waiting.says("waiting\n");

    waiting.tell(word);
    await waiting.says("FF_PROCESS_CRASHED");
    await refusal(waiting.port);
    waiting.tell("finish");
    const reply = await pending;
    const { code } = await waiting.ended();

    assert.deepEqual([reply.status, reply.text], [200, "finished"]);
    assert.equal(code, 16);
    const [line] = waiting.logs();
    assert.match(line?.message ?? "", new RegExp(why));
    assert.match(line?.stack ?? "", /http-failures\/index\.js:\d+/);
  });
}

test("after the grace period of a crash what is left is answered 500, and the exit code stays 16", async (t) => {
  const waiting = await startFramework(["--target=waitForever", "--grace-period=0.1"], { project });
  t.after(waiting.stop);
  const pending = request(waiting.url);
  await waiting.says("waiting\n");

  waiting.tell("crash");
  const { code } = await waiting.ended();

  assertCrash(await pending);
  assert.equal(code, 16);
});

function assertCrash({ status, headers }: Reply): void {
  assert.equal(status, 500);
  assert.equal(headers["x-google-status"], "crash");
  assert.equal(headers["x-openfunction-status"], "crash");
  assert.equal(headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(headers["x-content-type-options"], "nosniff");
}
