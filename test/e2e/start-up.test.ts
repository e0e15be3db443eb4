/** The start-up budget: what is heavy is not loaded before somebody needs it. */
import assert from "node:assert/strict";
import * as nodeModule from "node:module";
import { type TestContext, test } from "node:test";

import { makeProject } from "../support/project";
import { startFramework } from "./support/framework";
import { postJson, type Reply, request } from "./support/http";
import { installCopy } from "./support/projects";

// A module that tells which packages are loaded in its process, by the files that have been required.
const module = `
  exports.loaded = (req, res) => res.json(Object.keys(require.cache).map((file) => file.split("node_modules/").pop()));
  exports.status = (req, res) => exports.loaded(req, res.status(200));
  exports.wait = async (req, res) => {
    while (!Object.keys(require.cache).some((file) => file.endsWith("express/lib/response.js")))
      await new Promise(setImmediate);
    exports.loaded(req, res);
  };
  exports.handle = () => Object.keys(require.cache).map((file) => file.split("node_modules/").pop());`;
const heavy = [
  "yargs/",
  "yaml/",
  "@dapr/",
  "undici/",
  "aedes/",
  "mqtt-packet/",
  "cloudevents/",
  "express/lib/express.js",
  "express/lib/application.js",
  "router/",
  "esbuild/",
  "get-tsconfig/",
  "@opentelemetry/",
  "@grpc/",
];
const ourHeavy =
  /\/dist\/(functions\/(typescript|import-hooks|syntax)|tracing\/(?!(open|settings|exporter-settings)\.js))/;

async function serve(t: TestContext, target: string, env: Record<string, string> = {}) {
  const project = makeProject(t, { "index.js": module });
  const framework = await startFramework([`--target=${target}`], { project, env });
  t.after(() => framework.stop());
  return framework;
}

test("an http function that sends a value loads no part of Express, and nothing else that is heavy", async (t) => {
  const framework = await serve(t, "loaded");

  const loaded: string[] = (await request(framework.url)).json();

  assert.deepEqual(
    loaded.filter(
      (file) => [...heavy, "express/"].some((name) => file.startsWith(name)) || ourHeavy.test(file),
    ),
    [],
  );
});

test("Express's request and response are loaded by the first call of a method, or a while after the start", async (t) => {
  const early = await serve(t, "status");
  const late = await serve(t, "wait");
  const ofExpress = (files: string[]) => files.filter((file) => file.startsWith("express/lib/"));

  const first: string[] = (await request(early.url)).json();
  const expected = ["express/lib/utils.js", "express/lib/request.js", "express/lib/response.js"];
  const second: string[] = (await request(late.url)).json();

  assert.deepEqual(ofExpress(first), expected);
  assert.deepEqual(ofExpress(second), expected);
});

test("what legacy events need is loaded with the first of them", async (t) => {
  const legacyParts =
    /dist\/signatures\/(event|event-to-legacy|legacy-[\w-]+|pubsub-push|auth-metadata)\.js$/;
  const http = await serve(t, "loaded");
  const events = await serve(t, "handle", { FUNCTION_SIGNATURE_TYPE: "cloudevent" });
  const of = (reply: Reply): string[] => reply.json().filter((file: string) => legacyParts.test(file));
  const event = { id: "1", source: "/s", type: "t", specversion: "1.0" };
  const legacy = {
    eventId: "1",
    eventType: "google.pubsub.topic.publish",
    resource: "projects/p/topics/t",
    data: {},
  };

  const before = [await request(http.url), await postJson(events.url, event)];
  const after = await postJson(events.url, legacy);

  assert.deepEqual(before.flatMap(of), []);
  assert.ok(of(after).some((file) => file.endsWith("/legacy-to-event.js")));
  assert.ok(!of(after).some((file) => file.endsWith("/event.js")));
});

test("an async function loads no part of Express, and no client before it sends", async (t) => {
  const inputs = { in: { componentName: "in", componentType: "bindings.mqtt3" } };
  const framework = await serve(t, "handle", {
    FUNC_CONTEXT: JSON.stringify({ name: "f", runtime: "Async", inputs }),
  });

  const reply = await request(`${framework.url}/in`, { method: "POST", body: "1" });

  assert.deepEqual(
    reply.json().filter((file: string) => [...heavy, "express/"].some((name) => file.startsWith(name))),
    [],
  );
});

// Where Node has hooks without a thread they cost nothing, and are always there.
const hooksCostAThread = !("registerHooks" in nodeModule);

if (hooksCostAThread)
  test("an ES module that needs no hooks starts no thread for them", async (t) => {
    const answers = `import { createRequire } from "node:module";
    const loaded = () => Object.keys(createRequire(import.meta.url).cache);
    export const hello = (_req, res) => res.json(loaded());`;
    const projects = [
      makeProject(t, { "index.mjs": answers }),
      makeProject(t, { "index.mjs": `import "@openfunction/functions-framework"; ${answers}` }),
    ];
    await installCopy(projects[1] ?? "");

    for (const project of projects) {
      const framework = await startFramework(["--target=hello"], { project });
      t.after(framework.stop);

      const loaded: string[] = (await request(framework.url)).json();

      assert.ok(loaded.some((file) => file.endsWith("/loading/framework-imports.js")));
      assert.deepEqual(
        loaded.filter((file) => file.includes("import-hooks")),
        [],
      );
    }
  });

test("an async function over HTTP loads nothing of gRPC", async (t) => {
  const project = makeProject(t, {
    "index.js": `exports.handle = () => [...Object.keys(require.cache), ...process.moduleLoadList];`,
  });
  const FUNC_CONTEXT = JSON.stringify({
    name: "handle",
    runtime: "Async",
    inputs: { orders: { componentName: "queue", componentType: "bindings.mqtt3" } },
  });
  const framework = await startFramework(["--target=handle"], { project, env: { FUNC_CONTEXT } });
  t.after(() => framework.stop());

  const loaded: string[] = (await postJson(`${framework.url}/queue`, 1)).json();

  assert.ok(loaded.some((file) => file.endsWith("inputs-http.js")));
  assert.deepEqual(
    loaded.filter((file) => /dist\/.*(grpc|protobuf|switch-protocols)|NativeModule http2$/.test(file)),
    [],
  );
});
