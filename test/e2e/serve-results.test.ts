import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as openRequest } from "node:http";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

import { type Framework, startFramework } from "./support/framework";
import { request } from "./support/http";

const project = "http-results";
const source = readFileSync(join(resolve(__dirname, "../fixtures"), project, "index.js"), "utf8");
let valueOnly: Framework;
let withResponse: Framework;

before(async () => {
  [valueOnly, withResponse] = await Promise.all([
    startFramework(["--target=valueOnly"], { project }),
    startFramework(["--target=withResponse"], { project }),
  ]);
});
after(() => Promise.all([valueOnly.stop(), withResponse.stop()]));

const html = "text/html; charset=utf-8";
const json = "application/json; charset=utf-8";
const bytes = "application/octet-stream";

type Row = [path: string, type: string | undefined, text: string];

/** Sent whether the function declares `res` or not. */
const alwaysSent: Row[] = [
  ["text", html, "some <text>"],
  ["empty", html, ""],
  ["object", json, '{"a":1}'],
  ["list", json, '[1,"b"]'],
  ["bare", json, '{"a":1}'],
  ["buffer", bytes, "bytes"],
  ["array", bytes, "hi"],
  ["promise", json, '{"later":true}'],
  ["thenable", html, "from a thenable"],
  ["iterable", bytes, "iterable ✓"],
];

/** Sent only by a function that declares no `res`: with it, they are returned by accident. */
const sentByValueOnly: Row[] = [
  ["null", json, "null"],
  ["zero", json, "0"],
  ["number", json, "3.5"],
  ["true", json, "true"],
  ["false", json, "false"],
  ["class", json, '{"amount":5}'],
  ["date", json, '"1970-01-01T00:00:00.000Z"'],
  ["node-stream", bytes, "stream"],
  ["web-stream", bytes, "web stream"],
  ["generator", bytes, "generator"],
  ["empty-generator", bytes, ""],
];

for (const [path, type, text] of [...alwaysSent, ...sentByValueOnly]) {
  test(`a returned value is the answer: ${path}`, async () => {
    const reply = await request(`${valueOnly.url}/${path}`);

    assert.equal(reply.status, 200);
    assert.equal(reply.headers["content-type"], type);
    assert.equal(reply.text, text);
  });
}

for (const [path, type, text] of alwaysSent) {
  test(`a function that declares res may return its answer: ${path}`, async () => {
    const reply = await request(`${withResponse.url}/${path}`);

    assert.equal(reply.status, 200);
    assert.equal(reply.headers["content-type"], type);
    assert.equal(reply.text, text);
  });
}

for (const path of ["undefined", "timer", ...sentByValueOnly.map(([path]) => path)]) {
  test(`a function that declares res may answer after it returned: ${path}`, async () => {
    const reply = await request(`${withResponse.url}/late/${path}`);

    assert.equal(reply.status, 200);
    assert.equal(reply.text, "answered later");
  });
}

test("undefined from a function without res is 204", async () => {
  const reply = await request(`${valueOnly.url}/undefined`);

  assert.equal(reply.status, 204);
  assert.equal(reply.text, "");
});

test("a returned CloudEvent goes out in binary mode", async () => {
  for (const { url } of [valueOnly, withResponse]) {
    const reply = await request(`${url}/event`);

    assert.equal(reply.status, 200);
    assert.equal(reply.headers["ce-id"], "1");
    assert.equal(reply.headers["ce-source"], "/me");
    assert.equal(reply.headers["ce-type"], "made");
    assert.equal(reply.headers["ce-specversion"], "1.0");
    assert.equal(reply.text, '{"a":1}');
  }
});

for (const path of ["circular", "bigint", "symbol"]) {
  test(`a value that cannot be written is 500 crash, never 204: ${path}`, async () => {
    const reply = await request(`${valueOnly.url}/${path}`);

    assert.equal(reply.status, 500);
    assert.equal(reply.headers["x-google-status"], "crash");
    assert.equal(reply.headers["x-openfunction-status"], "crash");
  });
}

const answeredThroughRes: [path: string, text: string][] = [
  ["res", '{"through":"res"}'],
  ["emit", "by an emitter"],
  ["push", "pushed"],
  ["stream", source],
  ["piped-and-object", source],
  ["written-and-object", "written to the end"],
];

for (const [path, text] of answeredThroughRes) {
  test(`an answer given through res stands: ${path}`, async () => {
    const reply = await request(`${withResponse.url}/${path}`);

    assert.equal(reply.status, 200);
    assert.equal(reply.text, text);
  });
}

test("status, headers and type set before a value is returned are kept", async () => {
  const made = await request(`${withResponse.url}/status-and-object`);
  const image = await request(`${withResponse.url}/type-and-buffer`);
  const plain = await request(`${withResponse.url}/type-and-text`);
  const problem = await request(`${withResponse.url}/type-and-object`);

  assert.deepEqual([made.status, made.headers["x-made"], made.text], [201, "yes", '{"made":true}']);
  assert.deepEqual([image.headers["content-type"], image.text], ["image/png", "image"]);
  assert.equal(problem.headers["content-type"], "application/problem+json; charset=utf-8");
  assert.deepEqual([plain.headers["content-type"], plain.text], ["text/plain; charset=utf-8", "plain"]);
});

test("default and rest parameters do not declare res, though they are given", async (t) => {
  const framework = await startFramework(["--target=defaults"], { project });
  t.after(framework.stop);

  const reply = await request(`${framework.url}/path`);

  assert.deepEqual(reply.json(), { path: "/path", res: "object", rest: 0 });
});

test("exactly two arguments arrive, and no `this`", async (t) => {
  const framework = await startFramework(["--target=bare"], { project });
  t.after(framework.stop);

  const reply = await request(framework.url);

  assert.deepEqual(reply.json(), { count: 2, this: "undefined" });
});

test("a returned web response is the answer, with status, headers and cookies", async () => {
  const reply = await request(`${valueOnly.url}/response`);
  const empty = await request(`${valueOnly.url}/empty-response`);

  assert.deepEqual([reply.status, reply.text], [201, "made"]);
  assert.deepEqual([reply.headers["content-type"], reply.headers["x-own"]], ["text/plain", "yes"]);
  assert.deepEqual(reply.headers["set-cookie"], ["a=1", "b=2"]);
  assert.deepEqual([empty.status, empty.text], [404, ""]);
});

test("a returned stream that fails is 500 before its first part, and a broken answer after it", async () => {
  const early = await request(`${valueOnly.url}/broken-stream`);
  const late = request(`${valueOnly.url}/late-broken-stream`);

  assert.deepEqual([early.status, early.text], [500, "the disk is gone"]);
  assert.equal(early.headers["x-google-status"], "crash");
  await assert.rejects(late, /aborted|ECONNRESET|hang up/);
});

test("a generator that fails is 500 before its first part, and a broken answer after it", async () => {
  const early = await request(`${valueOnly.url}/broken-generator`);
  const wrong = await request(`${valueOnly.url}/generator-of-objects`);
  const late = request(`${valueOnly.url}/late-broken-generator`);

  assert.deepEqual([early.status, early.text], [500, "the disk is gone"]);
  assert.equal(early.headers["x-google-status"], "crash");
  assert.deepEqual(
    [wrong.status, wrong.text],
    [500, "A part of type object cannot be sent: only texts and bytes are streamed."],
  );
  await assert.rejects(late, /aborted|ECONNRESET|hang up/);
});

test("a generator ends when its client goes away", async () => {
  const req = openRequest(`${valueOnly.url}/endless-generator`, { agent: false }).end();
  const [res] = await once(req, "response");
  await once(res, "data");

  res.destroy();

  await valueOnly.says("the generator has ended");
});
