import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, beforeEach, test } from "node:test";

import { type App, type AppCall, type AppReply, startApp } from "../support/app";
import { attributes, event, post, postBinary, postStructured } from "./support/events";
import { type Framework, startFramework } from "./support/framework";
import { postJson, type Reply, request } from "./support/http";

const outputs = {
  out: { componentName: "mqtt-out", componentType: "bindings.mqtt", operation: "create", uri: "out" },
};
const context = { name: "relay", version: "v1.2", runtime: "Knative", outputs, own: { field: 1 } };

let sidecar: App;
let framework: Framework;
let answer: (call: AppCall) => AppReply | Promise<AppReply>;

const start = (target: string, functionContext: object = context) =>
  startFramework([`--target=${target}`, "--signature-type=openfunction"], {
    project: "context",
    env: { FUNC_CONTEXT: JSON.stringify(functionContext), DAPR_HTTP_PORT: String(sidecar.port) },
  });
const choose = (name: string, more: object = {}): Promise<Reply> =>
  postJson(framework.url, { case: name, ...more });

before(async () => {
  sidecar = await startApp((call) => answer(call));
  framework = await start("choose");
});
after(async () => {
  await framework.stop();
  await sidecar.stop();
});
beforeEach(() => {
  answer = () => ({ status: 204 });
  sidecar.calls.length = 0;
});

const inputs: [title: string, type: string | undefined, body: string | undefined, data: unknown][] = [
  ["JSON", "application/json", '{"a":1}', { a: 1 }],
  ["a JSON scalar", "application/json", "5", 5],
  ["another +json type", "application/vnd.x+json", "[1]", [1]],
  ["text", "text/plain", "text", "text"],
  ["a form", "application/x-www-form-urlencoded", "a[b]=1", { a: { b: "1" } }],
  ["bytes", "application/octet-stream", "bytes", { bytes: "bytes" }],
  ["bytes without a type", undefined, "bytes", { bytes: "bytes" }],
  ["an empty body", "application/json", "", {}],
  ["no body", undefined, undefined, {}],
];

test("data is the decoded body, ctx.rawBody its bytes", async (t) => {
  const describing = await start("describe");
  t.after(describing.stop);

  for (const [title, type, body, data] of inputs) {
    const reply = await post(describing.url, { "Content-Type": type }, body);

    assert.deepEqual(reply.json().data, data, title);
    assert.equal(reply.json().raw ?? "", body ?? "", title);
  }
});

test("ctx carries the function context, the request, the response, a log, a signal and an id", async (t) => {
  const describing = await start("describe");
  t.after(describing.stop);

  const reply = await postJson(`${describing.url}/path?q=1`, {}, { "X-Own": "own" });

  const seen = reply.json();
  assert.deepEqual(seen.context, context);
  assert.deepEqual(seen.request, ["POST", "/path", { q: "1" }, "own"]);
  assert.deepEqual(seen.kinds, ["function", "function", false, 12]);
  assert.equal(seen.event, undefined);
  assert.equal(seen.input, undefined);
});

test("a CloudEvent fills ctx.event; its data is data in binary mode, the document in structured mode", async (t) => {
  const describing = await start("describe");
  t.after(describing.stop);

  const binary = await postBinary(describing.url, { "Content-Type": "application/json" }, '{"a":1}');
  const structured = await postStructured(describing.url, { ...event, data: { a: 1 } });
  const invalid = await postBinary(describing.url, { "ce-id": "" });

  assert.deepEqual(binary.json().data, { a: 1 });
  assert.deepEqual(binary.json().event, { ...event, datacontenttype: "application/json", data: { a: 1 } });
  assert.deepEqual(structured.json().data, { ...event, data: { a: 1 } });
  assert.deepEqual(structured.json().event, { ...event, data: { a: 1 } });
  assert.deepEqual([invalid.status, invalid.headers["x-google-status"]], [400, undefined]);
});

test("without a function context the function is served with no outputs", async (t) => {
  const bare = await startFramework(["--target=relay", "--signature-type=openfunction"], {
    project: "context",
  });
  t.after(bare.stop);

  const reply = await postJson(bare.url, { a: 1 });

  assert.equal(reply.status, 204);
});

test("another method than POST is 405 with Allow: POST", async () => {
  for (const method of ["GET", "PUT", "DELETE"]) {
    const reply = await request(framework.url, { method, headers: attributes });

    assert.deepEqual([reply.status, reply.headers.allow], [405, "POST"]);
  }
});

test("bodies that cannot be read are 400 without a status header", async () => {
  const malformed = await request(framework.url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{",
  });

  assert.equal(malformed.status, 400);
  assert.match(malformed.text, /broken JSON/);
  assert.equal(malformed.headers["x-openfunction-status"], undefined);
});

const answers: [name: string, status: number, text: string][] = [
  ["undefined", 204, ""],
  ["null", 200, "null"],
  ["text", 200, "text"],
  ["object", 200, '{"a":1}'],
  ["through", 201, '{"through":"res"}'],
  ["through-and-value", 200, "through res"],
];

for (const [name, status, text] of answers) {
  test(`the reply: ${name}`, async () => {
    const reply = await choose(name);

    assert.deepEqual([reply.status, reply.text], [status, text]);
  });
}

const failures: [name: string, text: string][] = [
  ["throws", "no luck"],
  ["throws-null", "null"],
  ["rejects", "rejected"],
  ["timer", "in a timer"],
];

for (const [name, text] of failures) {
  test(`500 error, and the process serves on: ${name}`, async () => {
    const reply = await choose(name);
    const next = await choose("text");

    assertError(reply);
    assert.equal(reply.text, text);
    assert.equal(next.text, "text");
  });
}

test("ctx.send reaches the output through the sidecar, and the one-liner keeps its 204", async (t) => {
  const relay = await start("relay");
  t.after(relay.stop);

  const reply = await postJson(relay.url, { hello: "world" });

  assert.equal(reply.status, 204);
  assert.equal(reply.text, "");
  assert.deepEqual(
    sidecar.calls.map(({ method, url, headers, body }) => [
      method,
      url,
      headers["content-type"],
      JSON.parse(body),
    ]),
    [
      [
        "POST",
        "/v1.0/bindings/mqtt-out",
        "application/json",
        { operation: "create", data: { hello: "world" } },
      ],
    ],
  );
});

test("ctx.send resolves to the settled results, with or without the output's name", async () => {
  const all = await choose("all-outputs", { message: "m" });
  const named = await choose("named", { message: "m" });

  assert.deepEqual(all.json(), [["fulfilled", "out"]]);
  assert.equal(named.text, "1");
  assert.deepEqual(sidecar.calls.map(messageOf), ["m", "m"]);
});

test("a value returned after a send is the reply", async () => {
  const reply = await choose("send-and-value", { message: "m" });

  assert.deepEqual(reply.json(), { sent: "m" });
});

test("operation and metadata of one send are told to the sidecar; bytes go as base64", async () => {
  await choose("options", { message: "m" });
  await choose("bytes");

  const [options, bytes] = sidecar.calls.map(({ body }) => JSON.parse(body));
  assert.deepEqual(options, { operation: "get", data: "m", metadata: { key: "1" } });
  assert.equal(Buffer.from(bytes.data, "base64").toString(), "bytes");
});

test("a send that fails is 500 error and says what the sidecar said", async (t) => {
  answer = () => ({
    status: 500,
    body: { errorCode: "ERR_INVOKE_OUTPUT_BINDING", message: "the broker is away" },
  });
  const relay = await start("relay");
  t.after(relay.stop);

  const reply = await postJson(relay.url, { a: 1 });

  assertError(reply);
  assert.match(
    reply.text,
    /Sending failed: output "out": .*500 ERR_INVOKE_OUTPUT_BINDING.*the broker is away/,
  );
});

test("a sidecar that is not there fails the send and names its address", async (t) => {
  const relay = await startFramework(["--target=relay", "--signature-type=openfunction"], {
    project: "context",
    env: { FUNC_CONTEXT: JSON.stringify(context), DAPR_HTTP_PORT: "1" },
  });
  t.after(relay.stop);

  const reply = await postJson(relay.url, { timeoutMs: 500 });

  assertError(reply);
  assert.match(reply.text, /127\.0\.0\.1:1 is not ready after 0\.5 s/);
});

test("an unknown output lists the known ones", async () => {
  const failed = await choose("unknown");
  const caught = await choose("unknown-caught");

  assertError(failed);
  assert.match(failed.text, /There is no output "uot".*"out"/);
  assert.equal(caught.json().code, "FF_SEND_UNKNOWN_OUTPUT");
  assert.deepEqual(sidecar.calls, []);
});

test("a send that nobody awaits is awaited before the answer", async () => {
  let release: (reply: AppReply) => void = () => undefined;
  answer = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  let isAnswered = false;

  const pending = choose("unawaited", { message: "m" }).finally(() => {
    isAnswered = true;
  });
  await sidecar.count("POST", "/v1.0/bindings/mqtt-out", 1);
  await choose("text"); // another invocation passes by
  const wasAnswered = isAnswered;
  release({ status: 204 });
  const reply = await pending;

  assert.equal(wasAnswered, false);
  assert.equal(reply.status, 204);
});

test("a failed send that nobody handles fails the invocation", async () => {
  answer = () => ({ status: 500 });

  const reply = await choose("unawaited", { message: "m" });

  assertError(reply);
  assert.match(reply.text, /Sending failed/);
});

test("a failed send after an answer through res is logged, and the answer stands", async () => {
  answer = () => ({ status: 500 });

  const reply = await choose("unawaited-through-res", { message: "m" });
  await framework.says("Sending failed");

  assert.deepEqual([reply.status, reply.text], [200, "answered before it was sent"]);
});

test("a failed send that the function catches does not fail the invocation", async () => {
  answer = () => ({ status: 500 });

  const caught = await choose("caught", { message: "m" });
  const awaited = await choose("caught-by-await", { message: "m" });

  assert.deepEqual(caught.json(), { code: "FF_SEND_FAILED", results: ["rejected"] });
  assert.deepEqual([awaited.status, awaited.text], [200, "went on"]);
});

test("when the function throws after a send, its own error is the one that is told", async () => {
  answer = () => ({ status: 500 });

  const reply = await choose("send-and-throw", { message: "m" });

  assertError(reply);
  assert.equal(reply.text, "after the send");
});

test("data that cannot be written as JSON fails the send", async () => {
  const reply = await choose("circular");

  assertError(reply);
  assert.match(reply.text, /cannot be written as JSON/);
  assert.deepEqual(sidecar.calls, []);
});

test("the sends of one invocation reach an output in their order, one at a time", async () => {
  let open = 0;
  let most = 0;
  answer = async () => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setImmediate(resolve));
    open--;
    return { status: 204 };
  };

  const reply = await choose("in-order", { count: 20 });

  assert.equal(reply.status, 204);
  assert.deepEqual(
    sidecar.calls.map((call) => messageOf(call).number),
    Array.from({ length: 20 }, (_, number) => number),
  );
  assert.equal(most, 1);
});

test("every invocation has a fresh ctx, and the function context cannot be changed", async () => {
  const first = await choose("locals");
  const second = await choose("locals");
  const changing = await choose("context-is-frozen");
  await choose("named", { message: "m" });

  for (const reply of [first, second]) assert.deepEqual(reply.json(), { before: [], again: ["left"] });
  assertError(changing);
  assert.equal(sidecar.calls[0]?.url, "/v1.0/bindings/mqtt-out");
});

test("fifty invocations at once never share a ctx", async () => {
  const numbers = Array.from({ length: 50 }, (_, number) => number);

  const replies = await Promise.all(
    numbers.map((number) => choose("together", { number, of: numbers.length })),
  );

  const seen = replies.map((reply) => reply.json());
  assert.deepEqual(
    seen.map(({ number }) => number),
    numbers,
  );
  assert.equal(new Set(seen.map(({ id }) => id)).size, numbers.length);
  assert.deepEqual(
    sidecar.calls.map((call) => messageOf(call).number).sort((a, b) => a - b),
    numbers,
  );
});

test("ctx.signal is aborted when the caller goes away, not when its body has been read", async () => {
  const body = JSON.stringify({ case: "until-aborted" });
  const socket = connect(framework.port, "127.0.0.1");
  socket.write(
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await framework.says("waiting for the caller to go\n");
  const early = framework.stdout.includes("aborted");

  socket.destroy();
  await framework.says("aborted: The caller is gone.\n");

  assert.equal(early, false);
});

function messageOf({ body }: AppCall) {
  return JSON.parse(body).data;
}

function assertError({ status, headers }: Reply): void {
  assert.equal(status, 500);
  assert.equal(headers["x-google-status"], "error");
  assert.equal(headers["x-openfunction-status"], "error");
  assert.equal(headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(headers["x-content-type-options"], "nosniff");
}
