/** Several functions of one module in one process, by the command's --target. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { postBinary } from "./support/events";
import { type Framework, runFramework, startFramework } from "./support/framework";
import { request } from "./support/http";

const project = "several";
let app: Framework;

before(async () => {
  app = await startFramework(["--target=first, second,user,stored"], { project });
});
after(() => app.stop());

test("the banner names all functions and their signatures", () => {
  assert.match(app.stdout, /^Function: first, second, user, stored$/m);
  assert.match(app.stdout, /^Signature type: http, cloudevent$/m);
});

test("each function is at its name and below, and sees the rest of the path", async () => {
  const replies = await Promise.all(
    ["/first", "/first/", "/first/a/b?c=1", "/first?c=1"].map((path) => request(app.url + path)),
  );

  assert.deepEqual(
    replies.map((reply) => reply.json()),
    [
      { name: "first", url: "/", baseUrl: "/first" },
      { name: "first", url: "/", baseUrl: "/first" },
      { name: "first", url: "/a/b?c=1", baseUrl: "/first" },
      { name: "first", url: "/?c=1", baseUrl: "/first" },
    ],
  );
});

test("a path of its own replaces the name", async () => {
  const user = await request(`${app.url}/users/7`);
  const named = await request(`${app.url}/user`);
  const event = await postBinary(`${app.url}/events`);

  assert.deepEqual(user.json(), { id: "7" });
  assert.equal(named.status, 404);
  assert.deepEqual(event.json(), { stored: "1" });
});

test("what no function answers is 404, another method 405 with what is allowed", async () => {
  const [root, longer, post, get] = await Promise.all([
    request(app.url),
    request(`${app.url}/firstly`),
    request(`${app.url}/users/7`, { method: "POST" }),
    request(`${app.url}/events`),
  ]);

  assert.deepEqual([root.status, longer.status], [404, 404]);
  assert.deepEqual([post.status, post.headers.allow], [405, "GET, HEAD"]);
  assert.deepEqual([get.status, get.headers.allow], [405, "POST"]);
});

test('"*" is every function, and two on one path are an error that names both', async () => {
  const { code, stderr } = await runFramework(["--target=*", "--port=0"], { project });

  assert.equal(code, 1);
  assert.match(stderr, /FF_FUNCTION_ROUTES/);
  assert.match(stderr, /\\"user\\" and \\"taken\\"/);
});

test("one of several that is not there is an error with the nearest name", async () => {
  const { code, stderr } = await runFramework(["--target=first,secnd", "--port=0"], { project });

  assert.equal(code, 1);
  assert.match(stderr, /FF_TARGET_NOT_FOUND.*Did you mean \\"second\\"/);
});

test("runtime Async serves one function", async () => {
  const context = JSON.stringify({ name: "f", version: "v2.0.0", runtime: "Async", inputs: {}, outputs: {} });

  const { code, stderr } = await runFramework(["--target=first,second", "--port=0"], {
    project,
    env: { FUNC_CONTEXT: context },
  });

  assert.equal(code, 1);
  assert.match(stderr, /FF_FUNCTION_SINGLE/);
});

test("a single function with a path is served there and nowhere else", async (t) => {
  const alone = await startFramework(["--target=user"], { project });
  t.after(alone.stop);

  assert.deepEqual((await request(`${alone.url}/users/a%20b`)).json(), { id: "a b" });
  assert.equal((await request(alone.url)).status, 404);
});
