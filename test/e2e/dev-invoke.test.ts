/** `POST /v1/invoke` of the control API of `dev`. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { canRewrite } from "../support/deep-json";
import { freePorts, startDev } from "../support/dev";
import { asyncFunctionYaml, functionYaml, httpFunctionYaml, makeProject } from "../support/project";

const stream = {
  stream: {
    type: "pubsub.mqtt",
    version: "v1",
    metadata: [
      { name: "url", value: "tcp://a:b@emqx:1883" },
      { name: "consumerID", value: "{uuid}" },
    ],
  },
};
const subscriber = (name: string) =>
  functionYaml(name, {
    runtime: "async",
    annotations: { "dapr.io/app-protocol": "http" },
    params: { FUNCTION_TARGET: name },
    inputs: [{ name: "orders", component: "stream", topic: "orders/+" }],
    outputs: [{ name: "done", component: "stream", topic: "done" }],
    pubsub: stream,
  });

const files = {
  "a.yaml": httpFunctionYaml("hello", "hello"),
  "b.yaml": asyncFunctionYaml({ name: "relay", target: "relay", outputs: { "mqtt-out": "out" } }),
  "c.yaml": subscriber("one"),
  "d.yaml": subscriber("two"),
  "index.mjs": `
    export const hello = (req, res) => {
      if (req.body === "fail") throw new Error("as asked");
      if (req.body === "bytes") return res.send(Buffer.from([0xff, 0xfe]));
      if (req.body === "long") return res.send("x".repeat(3 * 1024 * 1024));
      res.set("X-Seen", String(req.headers["x-given"])).send([req.method, req.url, req.headers["content-type"], req.body]);
    };
    export const relay = async (ctx, data) => {
      if (data === "fail") throw new Error("as asked");
      await ctx.send(data);
      return { got: data };
    };
    export const one = (ctx, data) => ctx.send(data);
    export const two = (ctx, data) => { if (data === "fail") throw new Error("as asked"); };`,
};

async function start(t: TestContext, env: NodeJS.ProcessEnv = {}) {
  const dev = startDev(makeProject(t, files), [...freePorts, "-f", "."], env);
  t.after(() => dev.stop("SIGKILL"));
  const { control } = await dev.ready();
  const text = async (body: string) => {
    const res = await fetch(`${control}/v1/invoke`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
    // biome-ignore lint/suspicious/noExplicitAny: tests know what they asked for
    return { status: res.status, body: (await res.json()) as any };
  };
  return Object.assign((body: unknown) => text(JSON.stringify(body)), { text });
}

test("functions, bindings and topics are called, and it tells what came of it", async (t) => {
  const invoke = await start(t);

  const hello = await invoke({ function: "hello", data: { a: 1 }, headers: { "X-Given": "yes" } });
  const text = await invoke({ function: "hello", data: "a text" });
  const xml = await invoke({ function: "hello", data: "<a/>", contentType: "text/xml" });
  const nothing = await invoke({ function: "hello" });
  const failed = await invoke({ function: "hello", data: "fail" });
  const bytes = await invoke({ function: "hello", data: "bytes" });
  const long = await invoke({ function: "hello", data: "long" });
  const binding = await invoke({ binding: "mqtt-in", data: { a: 1 } });
  const only = await invoke({ function: "relay", data: "text" });
  const retry = await invoke({ binding: "mqtt-in", data: "fail" });
  const topic = await invoke({ topic: "orders/new", data: { a: 1 } });
  const worst = await invoke({ topic: "orders/new", data: "fail" });
  const nobody = await invoke({ topic: "elsewhere", data: 1 });

  assert.equal(hello.status, 200);
  assert.equal(hello.body.reply.status, 200);
  assert.equal(hello.body.reply.headers["x-seen"], "yes");
  assert.deepEqual(JSON.parse(hello.body.reply.body), ["POST", "/", "application/json", { a: 1 }]);
  assert.deepEqual([hello.body.outcome, hello.body.sends], ["ok", []]);
  assert.ok(hello.body.ms > 0);
  assert.deepEqual(JSON.parse(text.body.reply.body).slice(2), ["text/plain; charset=utf-8", "a text"]);
  assert.equal(JSON.parse(xml.body.reply.body)[2], "text/xml");
  assert.equal(nothing.body.reply.status, 200);
  assert.deepEqual([failed.status, failed.body.reply.status, failed.body.outcome], [200, 500, "error"]);
  assert.deepEqual([bytes.body.reply.body, bytes.body.reply.encoding], ["//4=", "base64"]);
  assert.deepEqual([long.body.reply.body.length, long.body.reply.isTruncated], [1024 * 1024, true]);

  assert.deepEqual([binding.body.reply.body, binding.body.outcome], ['{"got":{"a":1}}', "ack"]);
  const [{ ms, ...send }] = binding.body.sends;
  assert.deepEqual(send, { output: "mqtt-out", ok: true, status: 204 });
  assert.ok(ms > 0);
  assert.equal(only.body.reply.body, '{"got":"text"}');
  assert.deepEqual([retry.body.reply.status, retry.body.outcome, retry.body.sends], [500, "retry", []]);

  assert.deepEqual([topic.body.reply.status, topic.body.outcome], [204, "ack"]);
  assert.deepEqual(
    topic.body.sends.map(({ output }: { output: string }) => output),
    ["done"],
  );
  assert.equal(worst.body.outcome, "retry");
  assert.deepEqual([nobody.body.reply.status, nobody.body.outcome], [204, null]);
});

test("what cannot be called is refused with its code", async (t) => {
  const invoke = await start(t);

  for (const [body, expected] of [
    [{}, "422 FF_CONTROL_FIELD"],
    [[], "422 FF_CONTROL_FIELD"],
    [{ function: 5 }, "422 FF_CONTROL_FIELD"],
    [{ function: "" }, "422 FF_CONTROL_FIELD"],
    [{ function: "hello", headers: { "a b": "c" } }, "422 FF_CONTROL_FIELD"],
    [{ function: "hello", headers: { a: "x\r\ny: z" } }, "422 FF_CONTROL_FIELD"],
    [{ function: "hello", contentType: "a\r\ny: z" }, "422 FF_CONTROL_FIELD"],
    [{ topic: "orders/\ud800" }, "422 FF_CONTROL_FIELD"],
    [{ binding: "mqtt-in", topic: "x" }, "422 FF_CONTROL_FIELD"],
    [{ function: "hallo" }, "404 FF_CONTROL_FUNCTION_UNKNOWN"],
    [{ binding: "mqtt-im" }, "404 FF_CONTROL_INPUT_UNKNOWN"],
    [{ function: "one", binding: "mqtt-in" }, "404 FF_CONTROL_INPUT_UNKNOWN"],
    [{ topic: "x", pubsub: "nope" }, "404 FF_CONTROL_INPUT_UNKNOWN"],
  ] as const) {
    const reply = await invoke(body);
    assert.equal(`${reply.status} ${reply.body.code}`, expected, JSON.stringify(body));
  }
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  const reply = await invoke.text(`{"function":"hello","data":${deep}}`);
  assert.equal(
    `${reply.status} ${reply.body.code}`,
    canRewrite(deep) ? "200 undefined" : "422 FF_CONTROL_FIELD",
  );
});

test("headers of a connection are not the function's", async (t) => {
  const invoke = await start(t);

  const reply = await invoke({
    function: "hello",
    data: "text",
    headers: {
      connection: "upgrade",
      upgrade: "websocket",
      "transfer-encoding": "chunked",
      "content-length": "1",
      host: "example.com",
    },
  });

  assert.equal(reply.body.reply?.status, 200);
  assert.equal(reply.body.outcome, "ok");
});

test("tokens that the shell sets are sent", async (t) => {
  const invoke = await start(t, { APP_API_TOKEN: "of the app", DAPR_API_TOKEN: "of the sidecar" });

  const binding = await invoke({ binding: "mqtt-in", data: 1 });
  const topic = await invoke({ topic: "orders/new", data: 1 });

  assert.equal(binding.body.outcome, "ack");
  assert.equal(topic.body.outcome, "ack");
});
