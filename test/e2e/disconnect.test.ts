/** A client that leaves before its answer: the signal says so, and what listeners throw belongs to their request. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { type Framework, startFramework } from "./support/framework";
import { postJson, request } from "./support/http";
import { asyncContext } from "./support/modules";
import { createProject, linkPackage, type Project } from "./support/projects";

const module = `
  const express = require("express");
  const told = (req, text) => console.log(req.method + " " + req.path + " " + text);
  const cases = {
    quick: (req, res) => res.send("quick"),
    waits: (req) => {
      told(req, "starts, aborted: " + req.signal.aborted);
      req.signal.addEventListener("abort", () => told(req, "is aborted: " + req.signal.reason.message));
    },
    done: (req, res) => {
      req.signal.addEventListener("abort", () => told(req, "is aborted"));
      res.on("close", () => told(req, "is closed, aborted: " + req.signal.aborted));
      res.send("done");
    },
    streams: (req, res) => {
      res.write("part");
      req.signal.addEventListener("abort", () => told(req, "is aborted"));
    },
    "asks-late": (req, res) => {
      told(req, "starts");
      res.on("close", () => told(req, "is closed, aborted: " + req.signal.aborted));
    },
    "request-close": (req) => {
      told(req, "starts");
      req.on("close", () => { throw new Error("thrown by request-close"); });
    },
    "response-close": (req, res) => {
      told(req, "starts");
      res.on("close", () => { throw new Error("thrown by response-close"); });
    },
    abort: (req) => {
      told(req, "starts");
      req.signal.addEventListener("abort", () => { throw new Error("thrown by abort"); });
    },
    rejects: (req) => {
      told(req, "starts");
      req.on("close", async () => { throw new Error("thrown by rejects"); });
    },
    logs: (req) => {
      told(req, "starts");
      req.on("close", () => req.log.info("logged by logs"));
    },
    "request-data": (req) => {
      req.on("data", () => { throw new Error("thrown by request-data"); });
    },
    "request-end": (req) => {
      req.on("end", () => { throw new Error("thrown by request-end"); }).resume();
    },
    finish: (req, res) => {
      res.on("finish", () => { throw new Error("thrown by finish"); });
      res.send("sent");
    },
  };
  exports.serve = (req, res) => cases[req.path.slice(1)](req, res);
  exports.app = express().use((req, res) => cases[req.path.slice(1)](req, res));
  exports.router = express.Router().use((req, res) => cases[req.path.slice(1)](req, res));
  exports.handle = (ctx) => new Promise(() => {
    console.log("handle starts, aborted: " + ctx.signal.aborted);
    ctx.signal.addEventListener("abort", () => console.log("handle is aborted"));
  });`;

let project: Project;

before(async () => {
  project = await createProject({ "index.js": module });
  await linkPackage(project.folder);
});
after(() => project.remove());

for (const target of ["serve", "app", "router"]) {
  describe(`a client that leaves: ${target}`, () => {
    let framework: Framework;
    before(async () => {
      framework = await startFramework([`--target=${target}`], { project: project.folder });
    });
    after(() => framework.stop());

    for (const [method, head] of [
      ["GET", ""],
      ["POST", "Content-Type: application/json\r\nContent-Length: 7\r\n"],
      ["PUT", "Transfer-Encoding: chunked\r\n"],
    ] as const) {
      test(`the signal is aborted when the client of a ${method} leaves, and not before`, async () => {
        const socket = open(framework, method, "waits", head);
        await framework.says(`${method} /waits starts, aborted: false\n`);
        socket.destroy();

        await framework.says(`${method} /waits is aborted: The caller is gone.\n`);
      });
    }

    test("the signal of an answered request is never aborted", async () => {
      const { text } = await postJson(`${framework.url}/done`, { a: 1 });

      assert.equal(text, "done");
      await framework.says("POST /done is closed, aborted: false\n");
      assert.doesNotMatch(framework.stdout, /\/done is aborted/);
    });

    test("a client that leaves half-way through the answer is gone too", async () => {
      const socket = open(framework, "GET", "streams");
      await once(socket, "data");
      socket.destroy();

      await framework.says("GET /streams is aborted\n");
    });

    test("a signal that is asked for after the client has left is aborted", async () => {
      const socket = open(framework, "GET", "asks-late");
      await framework.says("GET /asks-late starts\n");
      socket.destroy();

      await framework.says("GET /asks-late is closed, aborted: true\n");
    });

    for (const path of ["request-close", "response-close", "abort", "rejects"]) {
      test(`what a listener throws as the client leaves ends nobody else: ${path}`, async () => {
        const socket = open(framework, "POST", path, "Content-Type: text/plain\r\nContent-Length: 7\r\n");
        await framework.says(`POST /${path} starts\n`);
        socket.destroy();
        await framework.says(`thrown by ${path}`);

        assert.equal((await request(`${framework.url}/quick`)).text, "quick");
        assertBlamed(framework, target, `thrown by ${path}`);
      });
    }

    test("what a listener logs as the client leaves carries the id of its request", async () => {
      const socket = open(framework, "GET", "logs", "Function-Execution-Id: logged-id\r\n");
      await framework.says("GET /logs starts\n");
      socket.destroy();

      await framework.says("logged by logs");
      assertBlamed(framework, target, "logged by logs", "logged-id");
    });

    test("what a listener throws after the answer is logged", async () => {
      const { text } = await request(`${framework.url}/finish`);
      await framework.says("thrown by finish");

      assert.equal(text, "sent");
      assertBlamed(framework, target, "thrown by finish");
      assert.equal((await request(`${framework.url}/quick`)).text, "quick");
    });
  });

  for (const path of ["request-data", "request-end"]) {
    test(`what a listener of a body throws is 500, with --body-mode=stream: ${target} ${path}`, async (t) => {
      const framework = await startFramework([`--target=${target}`, "--body-mode=stream"], {
        project: project.folder,
      });
      t.after(() => framework.stop());

      const reply = await postJson(`${framework.url}/${path}`, { a: 1 });
      const next = await request(`${framework.url}/quick`);

      assert.deepEqual([reply.status, reply.text], [500, `thrown by ${path}`]);
      assert.equal(reply.headers["x-google-status"], "crash");
      assert.equal(next.text, "quick");
    });
  }
}

for (const [kind, env] of [
  ["over HTTP", {}],
  ["for deliveries", asyncContext()],
] as [string, Record<string, string>][]) {
  test(`ctx.signal says that the caller is gone, ${kind}`, async (t) => {
    const framework = await startFramework(["--target=handle", "--signature-type=openfunction"], {
      project: project.folder,
      env,
    });
    t.after(() => framework.stop());

    const socket = open(
      framework,
      "POST",
      "queue",
      "Content-Type: application/json\r\nContent-Length: 7\r\n",
    );
    await framework.says("handle starts, aborted: false\n");
    socket.destroy();

    await framework.says("handle is aborted\n");
  });
}

/** A request with the body that the head announces. */
function open({ port }: Framework, method: string, path: string, head = "") {
  const body = head.includes("chunked")
    ? "7\r\n" + '{"a":1}' + "\r\n0\r\n\r\n"
    : head.includes("Length")
      ? '{"a":1}'
      : "";
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  socket.on("error", () => undefined);
  socket.write(`${method} /${path} HTTP/1.1\r\nHost: x\r\n${head}\r\n${body}`);
  return socket;
}

function assertBlamed(
  framework: Framework,
  target: string,
  message: string,
  id = /^[a-z0-9]{12}$/ as RegExp | string,
) {
  const line = framework.logs().find((one) => one.message === message) as unknown as Record<string, string>;
  assert.equal(line?.function, target);
  if (typeof id === "string") assert.equal(line?.invocation, id);
  else assert.match(line?.invocation ?? "", id);
}
