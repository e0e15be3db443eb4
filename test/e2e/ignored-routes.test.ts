/** Paths that are answered 404 without the function: the default, and what `--ignored-routes` puts in its place. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";

import { until } from "../support/wait";
import { runFramework } from "./support/framework";
import { converse, type Reply, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

const module = `
  const functions = require("@openfunction/functions-framework");
  exports.serve = (req, res) => res.send("called");
  exports.handle = () => "called";
  functions.typed("typed", () => "called");
  functions.cloudEvent("event", () => "called");`;

type Row = [path: string, isIgnored: boolean];
const attributes = { "ce-id": "1", "ce-source": "/", "ce-type": "t", "ce-specversion": "1.0" };

const byDefault: Row[] = [
  ["/favicon.ico", true],
  ["/robots.txt", true],
  ["/FavIcon.ICO", true],
  ["/ROBOTS.TXT", true],
  ["/favicon.ico/", true],
  ["/favicon.ico/x/y", true],
  ["/favicon.ico?v=1", true],
  ["/robots.txt/?v=1", true],
  ["/", false],
  ["/favicon", false],
  ["/favicon.icon", false],
  ["/faviconxico", false],
  ["/x/favicon.ico", false],
  ["/?/favicon.ico", false],
  ["//favicon.ico", false],
];

const lists: [args: string[], rows: Row[], env?: Record<string, string>][] = [
  [[], byDefault],
  [
    ["--ignored-routes=/a"],
    [
      ["/a", true],
      ["/a/b", true],
      ["/A", true],
      ["/ab", false],
      ["/favicon.ico", false],
      ["/robots.txt", false],
    ],
  ],
  [
    ["--ignored-routes=/favicon.ico|/robots.txt"],
    [
      ["/favicon.ico", true],
      ["/robots.txt", true],
      ["/favicon.ico|/robots.txt", false],
    ],
  ],
  [
    ["--ignored-routes", "a, b/c |d.e"],
    [
      ["/a", true],
      ["/b/c", true],
      ["/b", false],
      ["/d.e", true],
      ["/dxe", false],
    ],
  ],
  [
    ["--ignored-routes=/x/*,/y/{*rest},/z*"],
    [
      ["/x", true],
      ["/x/1/2", true],
      ["/y/1", true],
      ["/z/1", true],
      ["/xy", false],
    ],
  ],
  [
    ["--ignored-routes=/tmp/:id/raw"],
    [
      ["/tmp/1/raw", true],
      ["/tmp/a%20b/raw/more", true],
      ["/tmp/1", false],
      ["/tmp//raw", false],
      ["/tmp/1/2/raw", false],
    ],
  ],
  [
    ["--ignored-routes=*"],
    [
      ["/", true],
      ["/any/thing", true],
    ],
  ],
  [[], [["/a", true]], { IGNORED_ROUTES: "/a" }],
  [
    ["--ignored-routes=/b"],
    [
      ["/b", true],
      ["/a", false],
    ],
    { IGNORED_ROUTES: "/a" },
  ],
  [["--ignored-routes="], [["/favicon.ico", false]]],
  [["--ignored-routes="], [["/a", false]], { IGNORED_ROUTES: "/a" }],
  [["--ignored-routes= "], [["/robots.txt", false]]],
  [[], [["/favicon.ico", false]], { IGNORED_ROUTES: "" }],
];

describe("ignored routes", { concurrency: 3 }, () => {
  for (const [args, rows, env = {}] of lists) {
    const title = [...args, ...Object.entries(env).map((pair) => pair.join("="))].join(" ") || "by default";
    test(title, async (t) => {
      const framework = await startModule(t, module, ["--target=serve", ...args], { env });

      for (const [path, isIgnored] of rows) {
        const reply = await request(framework.url + path);

        if (isIgnored) assertIgnored(reply, path);
        else assert.deepEqual([path, reply.text], [path, "called"]);
      }
    });
  }

  test("every method is answered, HEAD too, and the connection is kept", async (t) => {
    const framework = await startModule(t, module, ["--target=serve"]);
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
      assertIgnored(await request(`${framework.url}/favicon.ico`, { method }), method);

    const both =
      "GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /robots.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    assert.equal((await converse(framework.port, both)).match(/HTTP\/1\.1 404/g)?.length, 2);
  });

  test("no body is read: the answer comes before it, and its size is nobody's business", async (t) => {
    const framework = await startModule(t, module, ["--target=serve", "--body-limit=4"]);
    const socket = connect(framework.port, "127.0.0.1").setEncoding("utf8");
    t.after(() => socket.destroy());
    let text = "";
    socket.on("data", (part) => {
      text += part;
    });
    socket.write(
      "POST /favicon.ico HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{",
    );

    await until(() => text.includes("\r\n\r\n"), socket, "data", "the answer comes");

    assert.match(text, /^HTTP\/1\.1 404 Not Found\r\n/);
  });

  test("a stated list is for every signature, the built-in one for http functions alone", async (t) => {
    for (const [target, headers, answer] of [
      ["typed", { "Content-Type": "application/json" }, '"called"'],
      ["event", { ...attributes, "Content-Type": "application/json" }, "called"],
    ] as const) {
      const post = { method: "POST", headers, body: "{}" };
      const builtIn = await startModule(t, module, [`--target=${target}`]);
      const stated = await startModule(t, module, [`--target=${target}`, "--ignored-routes=/favicon.ico"]);

      assert.equal((await request(`${builtIn.url}/favicon.ico`, post)).text, answer);
      assertIgnored(await request(`${stated.url}/favicon.ico`, post), target);
      assert.equal((await request(`${stated.url}/`, post)).text, answer);
    }
  });

  test("a stated list is for deliveries too", async (t) => {
    const framework = await startModule(t, module, ["--target=handle", "--ignored-routes=/queue"], {
      env: asyncContext(),
    });

    assertIgnored(await request(`${framework.url}/queue`, { method: "POST", body: "{}" }), "/queue");
    assert.equal((await request(`${framework.url}/dapr/config`)).status, 200);
  });

  for (const value of ["/a(b", "/{a", "/a[b]", "/x/*/y", "/:", "/a?", "/a b"]) {
    test(`what is no list of routes is refused at the start: ${value}`, async () => {
      const { code, stderr } = await runFramework(["--target=tryKnative", `--ignored-routes=${value}`], {
        project: "hello",
      });

      assert.equal(code, 1);
      assert.ok(stderr.includes("FF_OPTION_INVALID"), stderr);
      assert.ok(stderr.includes("--ignored-routes (IGNORED_ROUTES)"), stderr);
      assert.ok(stderr.includes(value) && stderr.includes("is one segment"), stderr);
    });
  }
});

function assertIgnored({ status, headers, text }: Reply, what: string): void {
  assert.deepEqual([what, status, text], [what, 404, ""]);
  assert.equal(headers["content-length"], "0");
  for (const name of ["content-type", "x-google-status", "x-openfunction-status"])
    assert.equal(headers[name], undefined);
}
