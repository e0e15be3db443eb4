/** `--timeout`: a wall clock that ends in 504, or for a delivery in another attempt. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { runFramework } from "./support/framework";
import { converse, postJson, type Reply, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

const module = `
  const functions = require("@openfunction/functions-framework");
  const tell = (signal) => console.log("aborted: " + signal.reason.name);

  const cases = {
    quick: (req, res) => res.send("quick"),
    never: (req) => {
      console.log("called");
      req.signal.addEventListener("abort", () => tell(req.signal));
    },
    controller: (req) => {
      req.abortController.signal.addEventListener("abort", () => tell(req.abortController.signal));
    },
    "asks-late": (req) => void setTimeout(() => tell(req.signal), 1300),
    partly: (req, res) => void res.write("the first half"),
    late: (req, res) => void setTimeout(() => { console.log("late answer"); res.send("too late"); }, 1300),
    "late-throw": () => void setTimeout(() => { throw new Error("thrown too late"); }, 1300),
    "late-value": async () => {
      await new Promise((resolve) => setTimeout(resolve, 1300));
      console.log("late value");
      return "too late";
    },
    "answers-when-aborted": (req, res) => req.signal.addEventListener("abort", () => res.send("my own answer")),
  };
  functions.http("serve", (req, res) => cases[req.path.slice(1)](req, res));
  functions.cloudEvent("event", () => new Promise(() => {}));
  functions.typed("typed", () => new Promise(() => {}));
  functions.openfunction("handle", (ctx) => new Promise(() => {
    console.log("called");
    ctx.signal.addEventListener("abort", () => tell(ctx.signal));
  }));`;

const start = (t: TestContext, target: string, args = ["--timeout=1"]) =>
  startModule(t, module, [`--target=${target}`, ...args]);

// Each waits for its second: together they take little more than one.
describe("--timeout", { concurrency: true }, () => {
  test("a function that does not answer in time is 504, then its signal is aborted", async (t) => {
    const framework = await start(t, "serve");

    const [got, posted, controlled, own] = (await Promise.all([
      request(`${framework.url}/never`),
      postJson(`${framework.url}/never`, { a: 1 }),
      request(`${framework.url}/controller`),
      request(`${framework.url}/answers-when-aborted`),
    ])) as [Reply, Reply, Reply, Reply];
    const quick = await request(`${framework.url}/quick`);

    for (const reply of [got, posted, controlled, own]) assertLate(reply, "serve");
    assert.equal(quick.text, "quick");
    await framework.says("aborted: TimeoutError\naborted: TimeoutError\naborted: TimeoutError\n");
  });

  test("what the function does after the 504 is dropped, and the process serves on", async (t) => {
    const framework = await start(t, "serve");
    const paths = ["late", "late-throw", "late-value", "asks-late"];

    const replies = await Promise.all(paths.map((path) => request(`${framework.url}/${path}`)));
    await Promise.all(
      ["Cannot set headers", "thrown too late", "late value", "aborted: TimeoutError"].map(framework.says),
    );
    const quick = await request(`${framework.url}/quick`);

    for (const reply of replies) assertLate(reply, "serve");
    assert.equal(quick.text, "quick");
  });

  test("an answer that has begun is cut when the time is over", async (t) => {
    const framework = await start(t, "serve");

    const text = await converse(framework.port, "GET /partly HTTP/1.1\r\nHost: x\r\n\r\n");

    assert.match(text, /^HTTP\/1\.1 200 OK/);
    assert.ok(text.includes("the first half") && !text.endsWith("0\r\n\r\n"), text);
  });

  test("a body that does not come in time is 504 without the function, and the connection ends", async (t) => {
    const framework = await start(t, "serve");
    const socket = connect(framework.port, "127.0.0.1").setEncoding("utf8");
    socket.write(
      "POST /never HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nhalf",
    );

    const [answer] = await once(socket, "data");
    await once(socket, "close");

    assert.match(answer, /^HTTP\/1\.1 504 /);
    assert.match(answer, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(answer, /X-Google-Status/i);
    assert.equal((await request(`${framework.url}/quick`)).text, "quick");
    assert.doesNotMatch(framework.stdout, /called/);
  });

  for (const [target, headers] of [
    ["event", { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" }],
    ["typed", {}],
    ["handle", {}],
  ] as const) {
    test(`the time is over for every signature: ${target}`, async (t) => {
      const framework = await start(t, target);

      const reply = await postJson(framework.url, { a: 1 }, headers);

      assertLate(reply, target);
    });
  }

  test("the number in front counts, as in the original framework", async (t) => {
    const framework = await start(t, "serve", ["--timeout=1.5"]);
    const fromEnvironment = await startModule(t, module, ["--target=serve"], {
      env: { CLOUD_RUN_TIMEOUT_SECONDS: "1s" },
    });

    const replies = await Promise.all([framework, fromEnvironment].map(({ url }) => request(`${url}/never`)));

    for (const reply of replies) assertLate(reply, "serve");
  });

  test("0 is off: a late answer arrives", async (t) => {
    const framework = await start(t, "serve", ["--timeout=0"]);

    const reply = await request(`${framework.url}/late`);

    assert.deepEqual([reply.status, reply.text], [200, "too late"]);
  });

  for (const value of ["-1", "soon", "2147484"]) {
    test(`a timeout of ${value} is refused at the start`, async () => {
      const { code, stderr } = await runFramework(["--target=tryKnative", `--timeout=${value}`], {
        project: "hello",
      });

      assert.equal(code, 1);
      assert.match(
        stderr,
        /FF_OPTION_INVALID .*--timeout|"--timeout|--timeout \(CLOUD_RUN_TIMEOUT_SECONDS\)/,
      );
      assert.match(stderr, /from 0 \(off\) to 2147483/);
    });
  }

  const asynchronous = `
  let call = 0;
  exports.handle = (ctx, data) => {
    if (data.quick) return "quick";
    const own = ++call;
    ctx.signal.addEventListener("abort", () => console.log(own + " aborted: " + ctx.signal.reason.name));
    return new Promise((resolve) => setTimeout(() => { resolve("late"); console.log(own + " is done"); }, 1300));
  };`;

  test("a delivery that takes too long is delivered again, and its late success is not acknowledged", async (t) => {
    const framework = await startModule(t, asynchronous, ["--target=handle", "--timeout=1"], {
      env: asyncContext(),
    });
    const route = announcedRoute("stream", "invoices/created");
    const event = { id: "1", source: "/", type: "t", specversion: "1.0", data: {} };

    const [bound, announced, topic] = (await Promise.all([
      postJson(`${framework.url}/queue`, {}),
      postJson(framework.url + route, event, { "Content-Type": "application/cloudevents+json" }),
      postJson(`${framework.url}/invoices/created`, event, {
        "Content-Type": "application/cloudevents+json",
      }),
    ])) as [Reply, Reply, Reply];
    await Promise.all(["1 is done", "2 is done", "3 is done"].map(framework.says));
    const quick = await postJson(`${framework.url}/queue`, { quick: true });

    assert.deepEqual([bound.status, bound.json().status], [500, "RETRY"]);
    assert.deepEqual([announced.status, announced.json()], [200, { status: "RETRY" }]);
    assert.equal(topic.status, 500);
    for (const { headers } of [bound, announced, topic])
      assert.equal(headers["x-openfunction-status"], "error");
    assert.equal(framework.stdout.match(/aborted: TimeoutError/g)?.length, 3);
    assert.deepEqual([quick.status, quick.text], [200, "quick"]);
    const told = framework.logs().filter(({ code }) => code === "FF_FUNCTION_TIMEOUT");
    assert.equal(told.length, 3);
    assert.equal(framework.logs().length, 3, framework.stderr);
  });
});

function assertLate({ status, headers, text }: Reply, name: string): void {
  assert.equal(status, 504);
  assert.equal(headers["x-google-status"], "error");
  assert.equal(headers["x-openfunction-status"], "error");
  assert.equal(headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(text, `The function "${name}" has not answered within 1 s.`);
}
