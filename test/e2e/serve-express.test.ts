import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { type Framework, startFramework } from "./support/framework";
import { postJson, type Reply, request } from "./support/http";

const project = "express-targets";
let app: Framework;

before(async () => {
  app = await startFramework(["--target=app"], { project });
});
after(() => app.stop());

test("an Express app is a target: routes, parameters and query", async () => {
  const reply = await request(`${app.url}/greet/you?u=again`);

  assert.equal(reply.status, 200);
  assert.equal(reply.text, "Hello, you! again");
});

test("an Express app keeps its own settings: no proxy is trusted", async () => {
  const reply = await request(`${app.url}/settings?a=1`, { headers: { "X-Forwarded-For": "203.0.113.7" } });

  assert.deepEqual(reply.json(), {
    own: true,
    ip: "::ffff:127.0.0.1",
    url: "/settings?a=1",
    originalUrl: "/settings?a=1",
    locals: {},
  });
});

test("an Express app with its own body parser gets the body, and rawBody too", async () => {
  const reply = await postJson(`${app.url}/json`, { a: [1] });

  assert.equal(reply.status, 200);
  assert.deepEqual(reply.json(), { body: { a: [1] }, raw: '{"a":[1]}' });
});

test("what an Express app does not answer is 404", async () => {
  const reply = await request(`${app.url}/nowhere`, { method: "DELETE" });

  assert.equal(reply.status, 404);
  assert.equal(reply.text, "Cannot DELETE /nowhere");
  assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
});

const crashes: [path: string, text: string][] = [
  ["throws", "inside the app"],
  ["rejects", "inside the app, later"],
  ["timer", "in a timer of the app"],
];

for (const [path, text] of crashes) {
  test(`an error inside an Express app is 500 crash: ${path}`, async () => {
    const reply = await request(`${app.url}/${path}`);
    const next = await request(`${app.url}/greet/you`);

    assertCrash(reply, text);
    assert.equal(next.status, 200);
  });
}

test("an error with a 4xx status is answered with it", async () => {
  const reply = await request(`${app.url}/forbidden`);

  assert.equal(reply.status, 403);
  assert.equal(reply.text, "not for you");
  assert.equal(reply.headers["x-google-status"], undefined);
});

test("in production only what an error marks for clients is told of it", async (t) => {
  const production = await startFramework(["--target=app"], { project, env: { NODE_ENV: "production" } });
  t.after(production.stop);

  const silent = await request(`${production.url}/forbidden`);
  const marked = await request(`${production.url}/bad-query`);

  assert.deepEqual([silent.status, silent.text], [403, "Forbidden"]);
  assert.deepEqual([marked.status, marked.text], [400, "a is missing"]);
});

test("an answer that an Express app gives up is broken off", async () => {
  await assert.rejects(request(`${app.url}/given-up`), { code: "ECONNRESET" });
});

test("an Express app's own error middleware answers", async (t) => {
  const handling = await startFramework(["--target=handling"], { project });
  t.after(handling.stop);

  const reply = await request(`${handling.url}/throws`);

  assert.equal(reply.status, 418);
  assert.equal(reply.text, "handled: handled by the app itself");
});

test("an Express Router is a target", async (t) => {
  const router = await startFramework(["--target=router"], { project });
  t.after(router.stop);

  const found = await request(`${router.url}/in/7?q=x`);
  const posted = await postJson(`${router.url}/json`, { a: 1 });
  const missing = await request(`${router.url}/out`);

  assert.deepEqual(found.json(), { id: "7", query: { q: "x" }, path: "/in/7" });
  assert.deepEqual(posted.json(), { a: 1 });
  assert.equal(missing.status, 404);
});

test("a function with three parameters gets a next that ends in the framework's replies", async (t) => {
  const middleware = await startFramework(["--target=middleware"], { project });
  t.after(middleware.stop);

  const mine = await request(`${middleware.url}/mine`);
  const passed = await request(`${middleware.url}/passed`);
  const failed = await request(`${middleware.url}/fails`);

  assert.equal(mine.text, "mine");
  assert.deepEqual([passed.status, passed.text], [404, "Cannot GET /passed"]);
  assertCrash(failed, "given to next");
});

function assertCrash({ status, headers, text }: Reply, message: string): void {
  assert.equal(status, 500);
  assert.equal(text, message);
  assert.equal(headers["x-google-status"], "crash");
  assert.equal(headers["x-openfunction-status"], "crash");
}
