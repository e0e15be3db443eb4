/** The start-up budget: what is heavy is not loaded before somebody needs it. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { makeProject } from "../support/project";
import { startFramework } from "./support/framework";
import { request } from "./support/http";

// A module that tells which packages are loaded in its process, by the files that have been required.
const module = `
  exports.loaded = (req, res) => res.json(Object.keys(require.cache).map((file) => file.split("node_modules/").pop()));
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
];

async function serve(t: TestContext, target: string, env: Record<string, string> = {}) {
  const project = makeProject(t, { "index.js": module });
  const framework = await startFramework([`--target=${target}`], { project, env });
  t.after(() => framework.stop());
  return framework;
}

test("an http function loads Express's request and response, and nothing else that is heavy", async (t) => {
  const framework = await serve(t, "loaded");

  const loaded: string[] = (await request(framework.url)).json();

  assert.ok(loaded.includes("express/lib/request.js"));
  assert.deepEqual(
    loaded.filter((file) => heavy.some((name) => file.startsWith(name))),
    [],
  );
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
