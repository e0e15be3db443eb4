/** `functions.use`: hooks around every invocation, the same for every signature. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { type Framework, startFramework } from "./support/framework";
import { postJson, type Reply, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

interface Expected {
  status: number;
  /** JSON parsed, else text. */
  value: unknown;
}

interface Row {
  name: string;
  expected: Expected;
  /** When the function has answered by itself already. */
  sent?: Expected;
  isCalled?: boolean;
  /** Not for deliveries, which have no response. */
  needsResponse?: boolean;
}

const ok = (value: unknown): Expected => ({ status: 200, value });
const failed = (value: string): Expected => ({ status: 500, value });
const nothing: Expected = { status: 204, value: "" };

const rows: Row[] = [
  { name: "no-hook", expected: ok({ result: "no-hook" }) },
  { name: "stops", expected: ok({ stopped: true }), isCalled: false },
  { name: "stops-with-number", expected: ok(7), isCalled: false },
  { name: "stops-with-nothing", expected: nothing, isCalled: false },
  {
    name: "stops-through-res",
    expected: { status: 401, value: "not you" },
    isCalled: false,
    needsResponse: true,
  },
  { name: "gives-next", expected: ok({ result: "gives-next" }) },
  { name: "leaves", expected: ok({ result: "leaves" }) },
  { name: "replaces", expected: ok({ replaced: "replaces" }), sent: ok({ result: "replaces" }) },
  { name: "replaces-with-number", expected: ok(7), sent: ok({ result: "replaces-with-number" }) },
  { name: "renames", expected: ok({ result: "renamed" }), isCalled: false },
  { name: "throws-before", expected: failed("before"), isCalled: false },
  { name: "throws-null", expected: failed("null"), isCalled: false },
  { name: "rejects-before", expected: failed("before"), isCalled: false },
  { name: "throws-after", expected: failed("after"), sent: ok({ result: "throws-after" }) },
  { name: "twice", expected: ok({ same: true }), sent: ok({ result: "twice" }) },
  { name: "not-awaited", expected: ok({ result: "not-awaited" }) },
  { name: "later-not-awaited", expected: ok({ result: "later-not-awaited" }) },
  { name: "fails-not-awaited", expected: failed("no luck") },
  { name: "fails-later-not-awaited", expected: failed("no luck") },
  { name: "fails-through", expected: failed("no luck") },
  { name: "fails-caught", expected: ok({ caught: "no luck" }) },
  { name: "fails-caught-in-silence", expected: nothing },
  { name: "fails-caught-aside", expected: ok("went on") },
  { name: "fails-otherwise", expected: failed("otherwise") },
];

const attributes = { "ce-id": "1", "ce-source": "/", "ce-specversion": "1.0" };
const askHttp = ({ url }: Framework, name: string) => request(`${url}/${name}`);
const askEvent = ({ url }: Framework, name: string) =>
  request(url, { method: "POST", headers: { ...attributes, "ce-type": name } });
const askJson = ({ url }: Framework, name: string) => postJson(url, { case: name });

const targets: [
  target: string,
  word: string,
  ask: (framework: Framework, name: string) => Promise<Reply>,
  env?: Record<string, string>,
][] = [
  ["returns", "crash", askHttp],
  ["declares", "crash", askHttp],
  ["sends", "crash", askHttp],
  ["event", "error", askEvent],
  ["callback", "error", askEvent],
  ["typed", "crash", askJson],
  ["handle", "error", askJson],
  ["handle", "error", ({ url }, name) => postJson(`${url}/queue`, { case: name }), asyncContext()],
];

for (const [target, word, ask, env = {}] of targets) {
  const isDelivery = "FUNC_CONTEXT" in env;
  describe(`hooks around ${target}${isDelivery ? ", for deliveries" : ""}`, () => {
    let framework: Framework;
    before(async () => {
      framework = await startFramework([`--target=${target}`], { project: "hooks", env });
    });
    after(() => framework.stop());

    test("every way through a hook ends as it should", async () => {
      for (const { name, expected, sent, isCalled = true, needsResponse } of rows) {
        if (needsResponse && isDelivery) continue;
        const reply = await ask(framework, name);

        const { status, value } = (target === "sends" ? sent : undefined) ?? expected;
        const given = [name, reply.status, answerOf(reply)];
        if (isDelivery && status === 500)
          assert.deepEqual(given, [name, 500, { status: "RETRY", error: value }]);
        else assert.deepEqual(given, [name, isDelivery && status === 204 ? 200 : status, value]);
        assert.equal(reply.headers["x-google-status"], status === 500 ? word : undefined, name);
        if (isCalled) await framework.says(`called for ${name}\n`);
      }
      await ask(framework, "the-last");
      await framework.says("called for the-last\n");
      for (const { name, isCalled = true } of rows)
        assert.equal(framework.stdout.split(`called for ${name}\n`).length - 1, isCalled ? 1 : 0, name);
    });

    test("the first hook is the outermost", async () => {
      await ask(framework, "order");

      await framework.says("outer before\ninner before\ncalled for order\ninner after\nouter after\n");
    });
  });
}

test("a delivery of a topic is acknowledged by what the hooks make of it", async (t) => {
  const framework = await startFramework(["--target=handle"], { project: "hooks", env: asyncContext() });
  t.after(() => framework.stop());
  const send = async (name: string) => {
    const event = { id: "1", source: "/", type: "t", specversion: "1.0", data: { case: name } };
    return (await postJson(framework.url + announcedRoute("stream", "invoices/created"), event)).json();
  };

  assert.deepEqual(await send("fails-not-awaited"), { status: "RETRY" });
  assert.deepEqual(await send("throws-before"), { status: "RETRY" });
  assert.deepEqual(await send("fails-caught"), { status: "SUCCESS" });
  assert.deepEqual(await send("stops"), { status: "SUCCESS" });
});

const views = `
  const functions = require("@openfunction/functions-framework");
  functions.use(async (invocation, next) => {
    const { id, function: name, signature, trigger, trace, args, req, res, event, ctx, signal, log, locals } = invocation;
    const empty = Object.keys(locals).length === 0;
    locals.fromHook = "hook";
    const value = await next();
    console.log(JSON.stringify({
      id, name, signature, trigger, trace, empty, args: args.length,
      has: { req: !!req, res: !!res, event: event?.id, ctx: !!ctx },
      aborted: signal.aborted, log: typeof log.info, fromFunction: locals.fromFunction, same: !ctx || ctx.locals === locals,
    }));
    return value;
  });
  functions.http("serve", (req, res) => { res.send("x"); });
  functions.http("app", (req, res, next) => { res.send("x"); });
  functions.cloudEvent("event", () => "x");
  functions.typed("typed", () => "x");
  functions.openfunction("handle", ({ locals }) => {
    const given = locals.fromHook;
    locals.fromFunction = "function";
    return { given };
  });`;

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const trace = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

for (const [target, path, seen, env = {}] of [
  ["serve", "", { signature: "http", trigger: "http", args: 2, has: { req: true, res: true, ctx: false } }],
  ["app", "", { signature: "http", trigger: "http", args: 3, has: { req: true, res: true, ctx: false } }],
  [
    "event",
    "",
    {
      signature: "cloudevent",
      trigger: "http",
      args: 1,
      has: { req: true, res: true, event: "1", ctx: false },
    },
  ],
  ["typed", "", { signature: "typed", trigger: "http", args: 1, has: { req: true, res: true, ctx: false } }],
  [
    "handle",
    "",
    {
      signature: "openfunction",
      trigger: "http",
      args: 2,
      has: { req: true, res: true, event: "1", ctx: true },
      fromFunction: "function",
    },
  ],
  [
    "handle",
    "/queue",
    {
      signature: "openfunction",
      trigger: "binding:queue",
      args: 2,
      has: { req: false, res: false, ctx: true },
      fromFunction: "function",
    },
    asyncContext(),
  ],
] as [string, string, object, Record<string, string>?][]) {
  test(`a hook sees what the invocation is about: ${target}${path}`, async (t) => {
    const framework = await startModule(t, views, [`--target=${target}`], { env });
    const headers = { "Function-Execution-Id": "my-id", traceparent, ...attributes, "ce-type": "t" };

    const reply = await postJson(framework.url + path, { a: 1 }, headers);
    await framework.says("}\n");

    const told = JSON.parse(framework.stdout.split("\n").find((line) => line.startsWith("{")) ?? "");
    const common = {
      id: "my-id",
      name: target,
      trace,
      empty: true,
      aborted: false,
      log: "function",
      same: true,
    };
    assert.deepEqual(told, { ...common, ...seen });
    if (target === "handle") assert.deepEqual(reply.json(), { given: "hook" });
  });
}

test("locals belong to one invocation, under fifty at once", async (t) => {
  const framework = await startModule(
    t,
    `
    const functions = require("@openfunction/functions-framework");
    const waiting = [];
    functions.use(async ({ locals, args: [, { number }] }, next) => {
      locals.number = number;
      const seen = await next();
      return { ...seen, after: locals.number, keys: Object.keys(locals) };
    });
    functions.openfunction("handle", async ({ locals }) => {
      await new Promise((resolve) => waiting.push(resolve) === 50 ? waiting.forEach((go) => go()) : undefined);
      return { during: locals.number };
    });`,
    ["--target=handle"],
  );
  const numbers = Array.from({ length: 50 }, (_, number) => number);

  const replies = await Promise.all(numbers.map((number) => postJson(framework.url, { number })));

  assert.deepEqual(
    replies.map((reply) => reply.json()),
    numbers.map((number) => ({ during: number, after: number, keys: ["number"] })),
  );
});

function answerOf({ headers, text }: Reply): unknown {
  return headers["content-type"]?.startsWith("application/json") ? JSON.parse(text) : text;
}
