/**
 * 50 deliveries at once to a sidecar that refuses a tenth of what it is sent. As a broker would, each is repeated until
 * it is acknowledged. OUTPUTS_COUNT says how many there are.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request as openRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";

import { Random } from "../support/fuzz/random";
import { makeProject } from "../support/project";
import { startFramework } from "./support/framework";

const count = Number(process.env.OUTPUTS_COUNT ?? 300);
const atOnce = 50;

const context = {
  name: "f",
  runtime: "Async",
  inputs: { in: { componentName: "in", componentType: "bindings.mqtt3" } },
  outputs: {
    steps: { componentName: "steps", componentType: "bindings.mqtt3", operation: "create" },
    bills: { componentName: "stream", componentType: "pubsub.mqtt3", uri: "bills" },
  },
};

// The first step is the largest, so that it would be overtaken. The second is not awaited.
const module = `export const handle = async (ctx, { delivery }) => {
  const fresh = Object.keys(ctx.locals).length === 0 && ctx.error === undefined;
  ctx.locals.delivery = delivery;
  const message = (step, filling) => ({ invocation: ctx.id, delivery: ctx.locals.delivery, step, fresh, filling });
  const first = ctx.send(message(1, "x".repeat(20_000)), "steps");
  ctx.send(message(2, "x".repeat(200)), "steps");
  const bill = ctx.send(message(0, ""), "bills");
  await Promise.all([first, bill]);
  await new Promise((resolve) => setTimeout(resolve, delivery % 5));
  await ctx.send(message(3, ""), "steps");
};`;

interface Taken {
  delivery: number;
  steps: number[];
  isAsked: number[];
}

async function startUnreliable(t: TestContext) {
  const random = new Random(4711, 0);
  const invocations = new Map<string, Taken>();
  const done = new Map<number, Set<number>>();
  const wrong: string[] = [];
  let asked = 0;
  let refused = 0;
  const server = createServer(async (req, res) => {
    const body = await bodyOf(req);
    if (req.url?.startsWith("/v1.0/healthz")) return res.writeHead(204).end();
    const value = JSON.parse(body);
    const { invocation, delivery, step, fresh } = req.url?.startsWith("/v1.0/bindings") ? value.data : value;
    asked++;
    const taken = invocations.get(invocation) ?? { delivery, steps: [], isAsked: [] as number[] };
    invocations.set(invocation, taken);
    if (!fresh || taken.delivery !== delivery) wrong.push(`${invocation} saw another ctx`);
    if (step > 0) {
      if (step <= (taken.isAsked.at(-1) ?? 0)) wrong.push(`${invocation}: ${step} after ${taken.isAsked}`);
      taken.isAsked.push(step);
    }
    if (random.chance(10)) {
      refused++;
      return res.writeHead(500).end('{"errorCode":"ERR_TEST","message":"no luck"}');
    }
    const all = done.get(delivery) ?? new Set<number>();
    done.set(delivery, all.add(step));
    return res.writeHead(204).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { port, done, wrong, figures: () => ({ asked, refused, invocations: invocations.size }) };
}

async function bodyOf(stream: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

test(`${count} deliveries, ${atOnce} at once, a tenth of the sends fails: none is acknowledged before all is out`, async (t) => {
  const sidecar = await startUnreliable(t);
  const project = makeProject(t, { "index.mjs": module, "package.json": '{"main":"index.mjs"}' });
  let lines = "";
  const framework = await startFramework(["--target=handle"], {
    project,
    env: { FUNC_CONTEXT: JSON.stringify(context), DAPR_HTTP_PORT: String(sidecar.port) },
    keep: 100_000,
    onStderr: (text) => {
      lines = (lines + text).slice(-10_000);
    },
  });
  t.after(() => framework.stop());
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  t.after(() => agent.destroy());
  const deliver = async (delivery: number) => {
    const req = openRequest(`${framework.url}/in`, { method: "POST", agent });
    req.setHeader("Content-Type", "application/json").end(JSON.stringify({ delivery }));
    const [res] = (await once(req, "response")) as [IncomingMessage];
    return { status: res.statusCode, text: await bodyOf(res) };
  };
  const incomplete: number[] = [];
  let next = 0;
  let repeated = 0;
  const worker = async () => {
    while (next < count) {
      const delivery = next++;
      for (;;) {
        const { status, text } = await deliver(delivery);
        if (status === 200) break;
        assert.match(text, /output \\"(steps|bills)\\".*500 ERR_TEST.*no luck/);
        repeated++;
      }
      if (sidecar.done.get(delivery)?.size !== 4) incomplete.push(delivery);
    }
  };

  await Promise.all(Array.from({ length: atOnce }, worker));

  assert.deepEqual(incomplete, [], "acknowledged before everything was out");
  assert.deepEqual(sidecar.wrong, []);
  assert.equal(sidecar.done.size, count);
  assert.ok(repeated > 0, lines);
  const { asked, refused, invocations } = sidecar.figures();
  t.diagnostic(
    `${count} deliveries in ${invocations} calls, ${repeated} repeated; ${refused} of ${asked} sends refused`,
  );
});
