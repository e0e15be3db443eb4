/** A sidecar that comes later than its function, goes, and comes back. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { type App, type AppCall, type AppReply, startApp } from "../support/app";
import { makeProject } from "../support/project";
import { until } from "../support/wait";
import { startFramework } from "./support/framework";
import { request } from "./support/http";

const context = {
  name: "f",
  runtime: "Async",
  inputs: { in: { componentName: "in", componentType: "bindings.mqtt3" } },
  outputs: { out: { componentName: "out", componentType: "bindings.mqtt3", operation: "create" } },
};

type Answer = (call: AppCall) => AppReply | Promise<AppReply>;

const well: Answer = () => ({ status: 204 });

async function setUp(t: TestContext, module: string, env: Record<string, string> = {}) {
  const first = await startApp(well);
  await first.stop(); // its port is free now
  const project = makeProject(t, { "index.mjs": module, "package.json": '{"main":"index.mjs"}' });
  const framework = await startFramework(["--target=handle"], {
    project,
    env: { FUNC_CONTEXT: JSON.stringify(context), DAPR_HTTP_PORT: String(first.port), ...env },
  });
  t.after(() => framework.stop());
  const deliver = (data: unknown) =>
    request(`${framework.url}/in`, {
      method: "POST",
      body: JSON.stringify(data),
      headers: { "Content-Type": "application/json" },
    });
  const startSidecar = async (answer: Answer = well, options = {}): Promise<App> => {
    const sidecar = await startApp(answer, first.port, options);
    t.after(() => sidecar.stop());
    return sidecar;
  };
  return { framework, deliver, startSidecar, port: first.port };
}

const relay = `export const handle = (ctx, data) => { console.log("called with", data); return ctx.send(data); };`;

test("the function listens without a sidecar and says so every few seconds; a delivery waits for it with its send", async (t) => {
  const { framework, deliver, startSidecar, port } = await setUp(t, relay);
  const delivery = deliver("early");
  await framework.says("called with early");
  await framework.says(`Waiting for the sidecar at http://127.0.0.1:${port} for`);

  const sidecar = await startSidecar();
  const reply = await delivery;

  assert.equal(reply.status, 200);
  assert.deepEqual(
    sidecar.calls.map(({ url }) => url),
    ["/v1.0/bindings/out"],
  );
  await framework.says(`The sidecar at http://127.0.0.1:${port} is ready, after`);
  assert.match(framework.stderr, /for \d+ s now: connect ECONNREFUSED/);
});

test("a sidecar whose components are not there yet is waited for", async (t) => {
  const { framework, deliver, startSidecar } = await setUp(t, relay);
  let isReady = false;
  const asked: string[] = [];
  const sidecar = await startSidecar(
    ({ url }) => {
      asked.push(url);
      return url === "/v1.0/healthz/outbound" && !isReady ? { status: 500 } : { status: 204 };
    },
    { isReady: false },
  );
  const delivery = deliver("early");
  await framework.says("called with early");
  await sidecar.count("GET", "/v1.0/healthz/outbound", 3);
  assert.equal(sidecar.callsTo("POST", "/v1.0/bindings/out").length, 0);

  isReady = true;
  const reply = await delivery;

  assert.equal(reply.status, 200);
});

test("one that does not know healthz/outbound is asked for its metadata", async (t) => {
  const { deliver, startSidecar } = await setUp(t, relay, { DAPR_API_TOKEN: "token" });
  const sidecar = await startSidecar(
    ({ url }) =>
      url === "/v1.0/healthz/outbound"
        ? { status: 404 }
        : url === "/v1.0/metadata"
          ? { body: {} }
          : { status: 204 },
    { isReady: false },
  );

  const reply = await deliver("one");

  assert.equal(reply.status, 200);
  assert.equal(sidecar.callsTo("GET", "/v1.0/metadata")[0]?.headers["dapr-api-token"], "token");
});

test("when the time of a send is over before the sidecar is there, the delivery is to be repeated", async (t) => {
  const { deliver, startSidecar, port } = await setUp(
    t,
    "export const handle = (ctx, data) => ctx.send(data, 'out', { timeoutMs: 300 });",
  );

  const early = await deliver("early");
  await startSidecar();
  let later = await deliver("later");
  while (later.status !== 200) later = await deliver("later"); // it looks once a second

  assert.equal(early.status, 500);
  assert.match(
    early.json().error,
    new RegExp(`sidecar at http://127.0.0.1:${port} is not ready after 0.3 s: connect ECONNREFUSED`),
  );
});

test("SIGTERM does not wait for a sidecar that never comes", async (t) => {
  const { framework, deliver } = await setUp(t, relay, { FF_GRACE_PERIOD: "1" });
  const delivery = deliver("early").catch((err: Error) => err);
  await framework.says("called with early");

  const { code } = await framework.stop();
  const reply = await delivery;

  assert.equal(code, 0);
  assert.ok(reply instanceof Error || reply.status >= 500);
});

test("a sidecar that restarts under load: what was acknowledged is out, what was cut fails and can be repeated", async (t) => {
  const { framework, deliver, startSidecar } = await setUp(
    t,
    "export const handle = (ctx, data) => ctx.send(data).then(() => undefined);",
  );
  const taken = new Set<number>();
  const answer: Answer = ({ body }) => {
    taken.add(JSON.parse(body).data);
    return { status: 204 };
  };
  let sidecar = await startSidecar(answer);
  let next = 0;
  let failed = 0;
  const acknowledged: number[] = [];
  const count = 300;
  // As a broker would: what is not acknowledged comes again.
  const worker = async () => {
    while (next < count) {
      const id = next++;
      while ((await deliver(id)).status !== 200) failed++;
      acknowledged.push(id);
    }
  };

  const workers = Array.from({ length: 10 }, worker);
  for (const at of [60, 150]) {
    await until(() => taken.size >= at, sidecar, "call", `${at} messages are out`);
    await sidecar.stop();
    sidecar = await startSidecar(answer);
  }
  await Promise.all(workers);

  assert.equal(acknowledged.length, count);
  assert.equal(taken.size, count);
  const lost = framework
    .logs()
    .filter(({ message }) => message.includes("FF_SIDECAR") || message.includes("sidecar"));
  assert.ok(lost.length >= failed, "each failure is told");
  t.diagnostic(`${failed} of ${count} deliveries were cut and repeated`);
});
