/** `--body-mode=stream`: the body of an http function is left to it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";

import { until } from "../support/wait";
import { type Framework, startFramework } from "./support/framework";
import { converse, postJson, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";
import { createProject, linkPackage, type Project } from "./support/projects";

const module = `
  const express = require("express");
  const functions = require("@openfunction/functions-framework");
  const hash = require("node:crypto").createHash;
  const cases = {
    seen: (req, res) => res.json({ body: req.body === undefined, rawBody: req.rawBody === undefined, readable: req.readable, ended: req.readableEnded }),
    iterates: async (req, res) => {
      const parts = [];
      for await (const part of req) parts.push(part);
      res.send(Buffer.concat(parts).toString("latin1"));
    },
    pipes: (req, res) => void req.pipe(res),
    hashes: async (req, res) => {
      const sum = hash("sha256");
      let size = 0;
      for await (const part of req) { sum.update(part); size += part.length; }
      res.json([size, sum.digest("hex")]);
    },
    parts: async (req, res) => {
      for await (const part of req) console.log("part " + part);
      res.send("end");
    },
    leaves: (req, res) => res.send("not read"),
    fails: async (req) => { for await (const part of req) throw new Error("no luck with " + part); },
    "cut-off": async (req) => {
      try { for await (const part of req) console.log("part " + part); }
      catch (err) { console.log("cut off: " + err.code + ", aborted: " + req.signal.aborted); }
    },
  };
  exports.serve = (req, res) => cases[req.path.slice(1)](req, res);
  const app = express();
  app.post("/json", express.json(), (req, res) => res.json({ body: req.body }));
  app.post("/text", express.text(), (req, res) => res.json({ body: req.body }));
  app.post("/small", express.json({ limit: 5 }), (req, res) => res.json({ body: req.body }));
  exports.app = app;
  functions.cloudEvent("event", (event) => ({ data: event.data }));
  functions.typed("typed", (request) => ({ request }));
  exports.handle = (ctx, data) => ({ data });`;

const upload = { "Content-Type": "application/json" };

describe("the body is left to the function", () => {
  let project: Project;
  let framework: Framework;
  before(async () => {
    project = await createProject({ "index.js": module });
    await linkPackage(project.folder);
    framework = await startFramework(["--target=serve", "--body-mode=stream", "--body-limit=1mb"], {
      project: project.folder,
    });
  });
  after(async () => {
    await framework.stop();
    await project.remove();
  });

  for (const body of ['{"a":1}', ['{"a"', ":1}"]]) {
    const kind = Array.isArray(body) ? "chunked" : "of a stated length";
    test(`req is readable, nothing of it is read: ${kind}`, async () => {
      const ask = (path: string) =>
        request(`${framework.url}/${path}`, { method: "POST", headers: upload, body });

      assert.deepEqual((await ask("seen")).json(), {
        body: true,
        rawBody: true,
        readable: true,
        ended: false,
      });
      assert.equal((await ask("iterates")).text, '{"a":1}');
      assert.equal((await ask("pipes")).text, '{"a":1}');
    });
  }

  test("bytes come as they were sent, compressed and broken ones too", async () => {
    const zipped = gzipSync("hello");
    const ask = (headers: Record<string, string>, body: Buffer | string) =>
      request(`${framework.url}/iterates`, { method: "POST", headers, body });

    assert.equal(
      (await ask({ ...upload, "Content-Encoding": "gzip" }, zipped)).text,
      zipped.toString("latin1"),
    );
    assert.equal((await ask(upload, "{broken")).text, "{broken");
  });

  test("the function is called before the body has come", async () => {
    const socket = connect(framework.port, "127.0.0.1").setEncoding("utf8");
    socket.write("POST /parts HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\none");
    await framework.says("part one\n");

    socket.write("two");
    await framework.says("part two\n");

    const [answer] = await once(socket, "data");
    assert.match(answer, /^HTTP\/1\.1 200 OK/);
  });

  test("a large body passes without being kept, whatever the limit says of bodies that are read", async () => {
    const part = Buffer.alloc(64 * 1024, "x");
    const parts = Array.from({ length: 64 }, () => part);

    const reply = await request(`${framework.url}/hashes`, { method: "POST", body: parts });

    assert.equal(reply.json()[0], 4 * 1024 * 1024);
  });

  test("a stated length above the limit is 413 at once, without the function", async () => {
    const socket = connect(framework.port, "127.0.0.1").setEncoding("utf8");
    let answer = "";
    socket.on("data", (text) => {
      answer += text;
    });
    socket.on("error", () => undefined);
    socket.write("POST /parts HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\nunread");
    await until(() => answer.includes("\r\n\r\n"), socket, "data", "the answer comes");
    socket.destroy();

    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /\r\nConnection: close\r\n/);
    const exact = await request(`${framework.url}/hashes`, {
      method: "POST",
      body: Buffer.alloc(1024 * 1024),
    });
    assert.equal(exact.json()[0], 1024 * 1024);
    assert.doesNotMatch(framework.stdout, /part unread/);
  });

  test("a body that the function leaves unread does not hold up the connection", async () => {
    const post = "POST /leaves HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n";

    const text = await converse(framework.port, `${post}\r\nhello${post}Connection: close\r\n\r\nhello`);

    assert.equal(text.match(/not read/g)?.length, 2);
  });

  test("a failure while the body is read is 500", async () => {
    const reply = await request(`${framework.url}/fails`, { method: "POST", body: "it" });

    assert.deepEqual([reply.status, reply.text], [500, "no luck with it"]);
  });

  test("a client that leaves in the middle ends the reading, and the process lives", async () => {
    const socket = connect(framework.port, "127.0.0.1");
    socket.write("POST /cut-off HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    await framework.says("part half\n");
    socket.destroy();

    await framework.says("cut off: ECONNRESET");
    assert.equal((await request(`${framework.url}/leaves`)).text, "not read");
  });

  test("a request without a body is as ever", async () => {
    assert.equal((await request(`${framework.url}/iterates`)).text, "");
  });
});

const peers = join(__dirname, "../peers/node_modules");

for (const name of ["express", "express4"]) {
  const skip = name === "express4" && !existsSync(join(peers, name)) && "test/peers is not installed";
  test(`an application reads the body with its own parsers: ${name}`, { skip }, async (t) => {
    const project = await createProject({ "index.js": module.replace('"express"', JSON.stringify(name)) });
    t.after(() => project.remove());
    await linkPackage(project.folder);
    if (name === "express4") await symlink(join(peers, name), join(project.folder, "node_modules", name));
    const framework = await startFramework(["--target=app", "--body-mode=stream"], {
      project: project.folder,
    });
    t.after(() => framework.stop());

    assert.deepEqual((await postJson(`${framework.url}/json`, { a: [1] })).json(), { body: { a: [1] } });
    const text = { method: "POST", headers: { "Content-Type": "text/plain" }, body: "text" };
    assert.deepEqual((await request(`${framework.url}/text`, text)).json(), { body: "text" });
    assert.equal((await postJson(`${framework.url}/small`, { a: [1] })).status, 413);
    const broken = { method: "POST", headers: upload, body: "{broken" };
    assert.equal((await request(`${framework.url}/json`, broken)).status, 400);
  });
}

test("functions that need their body get it in either mode", async (t) => {
  const attributes = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };
  for (const [target, path, key, env] of [
    ["event", "/", "data", {}],
    ["typed", "/", "request", {}],
    ["handle", "/", "data", { FUNCTION_SIGNATURE_TYPE: "openfunction" }],
    ["handle", "/queue", "data", asyncContext()],
  ] as [string, string, string, Record<string, string>][]) {
    const framework = await startModule(t, module, [`--target=${target}`], {
      env: { ...env, FF_BODY_MODE: "stream", FF_BODY_LIMIT: "20" },
    });

    assert.deepEqual((await postJson(framework.url + path, { a: 1 }, attributes)).json(), {
      [key]: { a: 1 },
    });
    assert.equal(
      (await postJson(framework.url + path, { a: "more than twenty bytes" }, attributes)).status,
      413,
    );
  }
});
