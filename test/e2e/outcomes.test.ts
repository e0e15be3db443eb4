/** What becomes of a message: DropMessage, RetryMessage, `--retry`, held-back answers, the stop. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { announcedRoute } from "../../src/dapr/protocol";
import { type Framework, runFramework } from "./support/framework";
import { postJson, type Reply, request } from "./support/http";
import { asyncContext, makeUserProject, startModule } from "./support/modules";

const route = announcedRoute("stream", "invoices/created");
const hour = 3_600_000;

/** A failure that is not held back, so that tests need not wait. */
const atOnce = JSON.stringify({ maxAttempts: 1, backoff: { initial: 0 } });
const often = (maxAttempts: number, initial = 1) =>
  JSON.stringify({ maxAttempts, backoff: { initial, factor: 1, max: initial } });

const module = `
  const { DropMessage, RetryMessage } = require("@openfunction/functions-framework");
  const calls = new Map();
  exports.handle = async (ctx, data) => {
    const name = data.name ?? data;
    const call = (calls.get(name) ?? 0) + 1;
    calls.set(name, call);
    console.log("call " + call + " of " + name + " " + JSON.stringify(Object.keys(ctx.locals)));
    ctx.locals.seen = true;
    if (name.startsWith("drop")) throw new DropMessage("it is no order");
    if (name.startsWith("later")) throw new RetryMessage({ afterMs: ${hour}, reason: "the shop is closed" });
    if (name.startsWith("soon") && call < 3) throw new RetryMessage({ afterMs: 1 });
    if (name.startsWith("flaky") && call < data.good) throw new Error("not yet");
    if (name.startsWith("throws")) throw new Error("no luck");
    if (name.startsWith("hangs") && call === 1) {
      ctx.signal.addEventListener("abort", () => console.log("aborted " + ctx.signal.reason.name));
      await new Promise(() => {});
    }
    if (name.startsWith("left")) {
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      throw new Error("nobody is there");
    }
    if (name.startsWith("cyclic")) { const cycle = {}; return (cycle.self = cycle); }
    if (name.startsWith("map")) return new Map([[1, 2]]);
    if (name.startsWith("function")) return () => 1;
    if (name.startsWith("bytes")) return new Uint8Array([104, 105]).buffer;
    if (name.startsWith("odd")) throw new RetryMessage({ afterMs: "soon" });
    return "done";
  };`;

async function start(t: TestContext, retry: string | undefined = atOnce, args: string[] = []) {
  const retryArgs = retry === undefined ? [] : [`--retry=${retry}`];
  const framework = await startModule(t, module, ["--target=handle", ...retryArgs, ...args], {
    env: asyncContext(),
  });
  return { framework, ...senders(framework) };
}

function senders({ url }: Framework) {
  const event = (data: object | string, id: string) => ({
    id,
    source: "/",
    type: "t",
    specversion: "1.0",
    data,
  });
  return {
    bind: (data: object | string) => postJson(`${url}/queue`, data),
    announce: (data: object | string, id = "1") => postJson(url + route, event(data, id)),
    proxy: (data: object | string, id = "1") =>
      postJson(`${url}/invoices/created`, event(data, id), {
        "Content-Type": "application/cloudevents+json",
        pubsubName: "stream",
      }),
  };
}

const told = ({ status, text }: Reply) => [status, text === "" ? "" : JSON.parse(text).status];
const calls = ({ stdout }: Framework, name: string) =>
  stdout.split("\n").filter((line) => line.startsWith("call ") && line.includes(` of ${name} `)).length;

test("a drop is answered in the words of each caller, and told once with reason and event", async (t) => {
  const { framework, bind, announce, proxy } = await start(t);

  const binding = await bind("drop-a");
  const announced = await announce("drop-b", "event-7");
  const bare = await proxy("drop-c");

  assert.deepEqual([binding.status, binding.text], [200, ""]);
  assert.deepEqual(told(announced), [200, "DROP"]);
  assert.equal(bare.status, 200);
  await framework.stop();
  const lines = framework
    .logs()
    .filter(({ message }) => message === "The message is dropped: it is no order");
  assert.equal(lines.length, 3);
  const fields = lines[1] as unknown as Record<string, unknown>;
  assert.deepEqual(
    [fields.level, fields.event, fields.input, fields.trigger],
    ["warn", "event-7", "created", "topic:stream/invoices/created"],
  );
});

test("outcomes of another copy of the package count, and what only looks like one does not", async (t) => {
  const copy = join(__dirname, "../../dist/functions/outcomes.js");
  const framework = await startModule(
    t,
    `const path = require.resolve(${JSON.stringify(copy)});
     const { DropMessage } = require(path);
     delete require.cache[path];
     exports.handle = (ctx, data) => {
       if (data === "copy") throw new DropMessage("of a copy");
       if (data === "name") throw Object.assign(new Error("looks like one"), { name: "DropMessage" });
       if (data === "proxy") { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy; }
     };`,
    ["--target=handle", `--retry=${atOnce}`],
    { env: asyncContext() },
  );
  const { announce } = senders(framework);

  const replies = [await announce("copy"), await announce("name"), await announce("proxy")];

  assert.deepEqual(replies.map(told), [
    [200, "DROP"],
    [200, "RETRY"],
    [200, "RETRY"],
  ]);
});

test("--retry calls the function again until it succeeds, each time with a ctx of its own", async (t) => {
  const { framework, bind, announce } = await start(t, often(3));

  const binding = await bind({ name: "flaky-a", good: 3 });
  const topic = await announce({ name: "flaky-b", good: 2 });

  assert.deepEqual([binding.status, binding.text], [200, "done"]);
  assert.deepEqual(told(topic), [200, "SUCCESS"]);
  await framework.says("call 3 of flaky-a []\n");
  await framework.says("call 2 of flaky-b []\n");
  const attempts = framework
    .logs()
    .filter(({ message }) => message === "not yet")
    .map((line) => (line as unknown as { attempt: number }).attempt);
  assert.deepEqual(attempts, [1, 2, 1]);
});

test("when the attempts are used up the message is retried by its sender", async (t) => {
  const { framework, bind, announce, proxy } = await start(t, often(3, 0));

  const replies = [await bind("throws-a"), await announce("throws-b"), await proxy("throws-c")];

  assert.deepEqual(replies.map(told), [
    [500, "RETRY"],
    [200, "RETRY"],
    [500, "RETRY"],
  ]);
  for (const name of ["throws-a", "throws-b", "throws-c"]) assert.equal(calls(framework, name), 3, name);
});

test("a RetryMessage says when, and a drop ends the attempts", async (t) => {
  const { framework, bind, announce } = await start(t, often(3, hour));

  const soon = await bind("soon");
  const dropped = await announce("drop");

  assert.equal(soon.text, "done");
  assert.deepEqual(told(dropped), [200, "DROP"]);
  assert.deepEqual([calls(framework, "soon"), calls(framework, "drop")], [3, 1]);
});

test("a RetryMessage that says no time is a failure which tells what is allowed", async (t) => {
  const { bind } = await start(t);

  const reply = await bind("odd");

  assert.equal(reply.status, 500);
  assert.match(reply.json().error, /afterMs of a RetryMessage must be .* not "soon"/);
});

test("an answer that is held back holds up no other delivery and takes no place, and is given at the stop", async (t) => {
  const { framework, announce, proxy, bind } = await start(t, undefined, ["--max-concurrency=1"]);
  const held = [announce("later-a", "a"), proxy("later-b", "b"), bind("later-c")];
  for (const name of ["a", "b", "c"]) await framework.says(`of later-${name} `);

  const others = await Promise.all([bind("fine"), announce("fine", "c"), proxy("fine", "d")]);
  framework.kill("SIGTERM");
  const replies = await Promise.all(held);

  assert.deepEqual(
    others.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.deepEqual(replies.map(told), [
    [200, "RETRY"],
    [500, "RETRY"],
    [500, "RETRY"],
  ]);
  assert.equal((await framework.ended()).code, 0);
});

test("a delivery that waits for its next attempt is 503 at the stop, for every caller", async (t) => {
  const { framework, announce, proxy, bind } = await start(t, often(5, hour));
  const waiting = [announce("throws-a", "a"), proxy("throws-b", "b"), bind("throws-c")];
  for (const name of ["a", "b", "c"]) await framework.says(`of throws-${name} `);
  await Promise.all(["a", "b"].map((id) => framework.says(`"event":"${id}"`)));

  framework.kill("SIGTERM");
  const replies = await Promise.all(waiting);

  assert.deepEqual(
    replies.map(told),
    [1, 2, 3].map(() => [503, "RETRY"]),
  );
  assert.equal((await framework.ended()).code, 0);
});

test("what is not finished within the grace period is answered 503 before it is cut", async (t) => {
  const { framework, announce, bind } = await start(t, atOnce, ["--grace-period=0.3"]);
  const pending = [announce("hangs-a"), bind("hangs-b")];
  await framework.says("of hangs-a ");
  await framework.says("of hangs-b ");

  framework.kill("SIGTERM");
  const replies = await Promise.all(pending);

  assert.deepEqual(
    replies.map(told),
    [1, 2].map(() => [503, "RETRY"]),
  );
  assert.equal((await framework.ended()).code, 0);
});

test("an attempt that takes longer than --timeout is aborted and tried again, and never 504", async (t) => {
  const { framework, bind } = await start(t, often(2), ["--timeout=1"]);

  const reply = await bind("hangs");

  assert.deepEqual([reply.status, reply.text], [200, "done"]);
  await framework.says("aborted TimeoutError");
  assert.equal(calls(framework, "hangs"), 2);
});

test("a value that cannot be written fails the delivery", async (t) => {
  const { bind, announce } = await start(t);

  const binding = await bind("cyclic-a");
  const topic = await announce("cyclic-b");

  assert.equal(binding.status, 500);
  assert.match(binding.json().error, /circular/i);
  assert.match((await bind("map")).json().error, /it is a Map/);
  assert.match((await bind("function")).json().error, /it is a function/);
  assert.equal((await bind("bytes")).text, "hi");
  assert.deepEqual(told(topic), [200, "SUCCESS"]); // nobody reads it
});

test("a delivery whose sender has gone is not tried again", async (t) => {
  const { framework, bind } = await start(t, often(5));
  const body = '"left"';
  const socket = connect(framework.port, "127.0.0.1");
  socket.write(
    `POST /queue HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await framework.says("call 1 of left ");
  socket.destroy();
  await framework.says("nobody is there");

  const reply = await bind("throws"); // its attempts take as long as those of the other would have

  assert.equal(reply.status, 500);
  assert.deepEqual([calls(framework, "throws"), calls(framework, "left")], [5, 1]);
});

test("a rule that is none ends the start, with every problem", async (t) => {
  const project = await makeUserProject(t, { "index.js": module });
  const rule = '{"maxAttempts":0,"backoff":{"factor":0}}';

  const flag = await runFramework(["--target=handle", `--retry=${rule}`], { project, env: asyncContext() });
  const variable = await runFramework(["--target=handle"], {
    project,
    env: { ...asyncContext(), FUNC_RETRY: "yes" },
  });

  assert.deepEqual([flag.code, variable.code], [1, 1]);
  assert.match(flag.stderr, /FF_OPTION_INVALID/);
  assert.match(
    flag.stderr,
    /--retry \(FUNC_RETRY\).*maxAttempts must be .* not 0; backoff\.factor must be .* not 0/,
  );
  assert.match(variable.stderr, /FUNC_RETRY/);
});

test("a sync function that throws a DropMessage has failed as with any other error", async (t) => {
  const framework = await startModule(t, module, ["--target=handle", "--signature-type=openfunction"]);

  const reply = await postJson(framework.url, { name: "drop" });
  const health = await request(framework.url, { method: "POST" });

  assert.deepEqual([reply.status, reply.text], [500, "it is no order"]);
  assert.equal(health.status, 500);
});

test("under load a SIGTERM leaves no delivery without an answer, and acknowledges only what was done", async (t) => {
  const framework = await startModule(
    t,
    `exports.handle = async (ctx, { number }) => {
       await new Promise((resolve) => setTimeout(resolve, number % 20));
       if (number % 7 === 0) throw new Error("bad luck");
       console.log("done " + number + ";");
     };`,
    ["--target=handle", `--retry=${often(3, 5)}`, "--max-concurrency=20"],
    { env: asyncContext() },
  );
  const { announce, bind } = senders(framework);
  const acknowledged: number[] = [];
  let answers = 0;
  let refusals = 0;
  const deliver = async (number: number) => {
    const send = number % 2 === 0 ? announce : bind;
    try {
      const reply = await send({ number } as object);
      answers++;
      if (reply.status === 200 && !reply.text.includes("RETRY")) acknowledged.push(number);
    } catch (err) {
      // Not accepted any more: the sidecar has it still.
      assert.match(String((err as NodeJS.ErrnoException).code), /ECONNREFUSED|ECONNRESET/);
      refusals++;
    }
  };

  const deliveries = Array.from({ length: 400 }, (_, number) => deliver(number + 1));
  await framework.says("done 30;");
  framework.kill("SIGTERM");
  await Promise.all(deliveries);
  const ending = await framework.ended();

  assert.equal(ending.code, 0);
  assert.equal(answers + refusals, 400);
  const done = new Set([...ending.stdout.matchAll(/done (\d+);/g)].map(([, number]) => Number(number)));
  assert.deepEqual(
    acknowledged.filter((number) => !done.has(number)),
    [],
    "acknowledged, and not done",
  );
  assert.ok(acknowledged.length > 0);
});
