/** gRPC as it is on the wire: frames, headers, trailers, what is broken, large, compressed, or no gRPC at all. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";

import { create, toBinary } from "@bufbuild/protobuf";
import { BindingEventRequestSchema } from "@dapr/dapr/proto/dapr/proto/runtime/v1/appcallback_pb";

import { Sidecar, status } from "../support/grpc";
import { withDeadline } from "../support/wait";
import { converse, request } from "./support/http";
import { asyncContext, startModule } from "./support/modules";

const service = "/dapr.proto.runtime.v1.AppCallback";
const echo = `exports.handle = (ctx, data) => {
  console.log("called;");
  return { length: ctx.rawBody.length, text: String(data).slice(0, 20) };
};`;

async function start(t: TestContext, args: string[] = []) {
  const framework = await startModule(t, echo, ["--target=handle", ...args], {
    env: { ...asyncContext(), APP_PROTOCOL: "grpc" },
  });
  const session = connectHttp2(framework.url);
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  return { framework, session };
}

function message(data: Buffer | string): Buffer {
  return Buffer.from(
    toBinary(
      BindingEventRequestSchema,
      create(BindingEventRequestSchema, { name: "queue", data: Buffer.from(data) }),
    ),
  );
}

function framed(bytes: Buffer, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

interface Answer {
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  body: Buffer;
  /** From the trailers, or of an answer without a message from the headers. */
  code: number;
  details: string;
}

/** One call; the parts are DATA frames of their own. */
async function call(
  session: ClientHttp2Session,
  parts: Buffer[],
  headers: OutgoingHttpHeaders = {},
): Promise<Answer> {
  const stream = session.request({
    ":method": "POST",
    ":path": `${service}/OnBindingEvent`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const answer: Answer = { headers: {}, trailers: {}, body: Buffer.alloc(0), code: -1, details: "" };
  stream.on("response", (received) => Object.assign(answer.headers, received));
  stream.on("trailers", (received) => Object.assign(answer.trailers, received));
  stream.on("data", (chunk) => {
    answer.body = Buffer.concat([answer.body, chunk]);
  });
  stream.on("error", () => undefined);
  const closed = once(stream, "close");
  for (const part of parts) {
    if (stream.destroyed) break;
    await new Promise((resolve) => stream.write(part, resolve));
  }
  stream.end();
  await withDeadline(closed, "the call ends");
  const all = { ...answer.headers, ...answer.trailers };
  answer.code = Number(all["grpc-status"] ?? -1);
  answer.details = decodeURIComponent(String(all["grpc-message"] ?? ""));
  return answer;
}

test("an answer is headers, one framed message, and the status in trailers", async (t) => {
  const { session } = await start(t);

  const { headers, trailers, body, code } = await call(session, [framed(message("x"))]);

  assert.equal(headers[":status"], 200);
  assert.match(String(headers["content-type"]), /^application\/grpc/);
  assert.equal(headers["grpc-status"], undefined);
  assert.equal(trailers["grpc-status"], "0");
  assert.equal(code, status.OK);
  assert.equal(body[0], 0);
  assert.equal(body.readUInt32BE(1), body.length - 5);
  assert.match(body.toString(), /"length":1/);
});

test("a message may come in any number of frames", async (t) => {
  const { session } = await start(t);
  const bytes = framed(message("in pieces"));

  const single = await call(
    session,
    Array.from(bytes, (byte) => Buffer.from([byte])),
  );
  const empty = await call(session, [Buffer.alloc(0), bytes.subarray(0, 5), bytes.subarray(5)]);

  for (const { code, body } of [single, empty]) {
    assert.equal(code, status.OK);
    assert.match(body.toString(), /in pieces/);
  }
});

test("what is no message is an error status that says what is wrong, and the function is not called", async (t) => {
  const { session, framework } = await start(t);
  const good = framed(message("x"));

  for (const [what, parts, pattern] of [
    ["nothing", [], /ends before its end/],
    ["a part of the prefix", [good.subarray(0, 3)], /ends before its end/],
    ["less than the length says", [good.subarray(0, -1)], /ends before its end/],
    ["more than the length says", [Buffer.concat([good, Buffer.from("x")])], /more than one message/],
    ["two messages", [good, good], /more than one message/],
    ["an unknown flag", [framed(message("x"), 7)], /does not begin as a gRPC message/],
    ["no protocol buffer", [framed(Buffer.from("{}{}"))], /no protocol buffer/],
    ["a broken one", [framed(message("xyz").subarray(0, -1))], /no protocol buffer/],
  ] as [string, Buffer[], RegExp][]) {
    const { code, details } = await call(session, parts);
    assert.equal(code, status.INTERNAL, what);
    assert.match(details, pattern, what);
  }
  await framework.says("FF_BODY_MALFORMED");
  assert.doesNotMatch(framework.stdout, /called/);
  assert.equal((await call(session, [good])).code, status.OK);
});

test("gzip and deflate are read; another compression is refused without an acknowledgement", async (t) => {
  const { session } = await start(t, ["--body-limit=100kb"]);
  const bytes = message("compressed");

  const gzip = await call(session, [framed(gzipSync(bytes), 1)], { "grpc-encoding": "gzip" });
  const deflate = await call(session, [framed(deflateSync(bytes), 1)], { "grpc-encoding": "deflate" });
  const plain = await call(session, [framed(bytes)], { "grpc-encoding": "gzip" });
  const unsaid = await call(session, [framed(gzipSync(bytes), 1)]);
  const foreign = await call(session, [framed(bytes, 1)], { "grpc-encoding": "snappy" });
  const broken = await call(session, [framed(bytes, 1)], { "grpc-encoding": "gzip" });
  const bomb = await call(session, [framed(gzipSync(message(Buffer.alloc(10_000_000))), 1)], {
    "grpc-encoding": "gzip",
  });

  for (const { code, body } of [gzip, deflate, plain]) {
    assert.equal(code, status.OK);
    assert.match(body.toString(), /compressed/);
  }
  assert.deepEqual([unsaid.code, broken.code], [status.INTERNAL, status.INTERNAL]);
  assert.equal(foreign.code, status.INTERNAL, "daprd acknowledges UNIMPLEMENTED");
  assert.equal(foreign.headers["grpc-accept-encoding"], "identity,gzip,deflate");
  assert.equal(bomb.code, status.RESOURCE_EXHAUSTED);
});

test("grpc-js's own compression is understood", async (t) => {
  const { framework } = await start(t);
  const sidecar = new Sidecar(`127.0.0.1:${framework.port}`, { "grpc.default_compression_algorithm": 2 });
  t.after(() => sidecar.close());

  const reply = await sidecar.call("OnBindingEvent", {
    name: "queue",
    data: Buffer.from("squeezed ".repeat(99)),
  });

  assert.equal(reply.code, status.OK, reply.details);
  assert.match(Buffer.from(reply.message?.data as Uint8Array).toString(), /squeezed/);
});

test("one mebibyte arrives whole; above --body-limit it is RESOURCE_EXHAUSTED before it has come", async (t) => {
  const { framework, session } = await start(t, ["--body-limit=1100000"]);
  const sidecar = new Sidecar(`127.0.0.1:${framework.port}`);
  t.after(() => sidecar.close());
  const send = (size: number) =>
    sidecar.call("OnBindingEvent", { name: "queue", data: Buffer.alloc(size, "x") });

  const fits = await Promise.all([1, 1024 ** 2, 1024 ** 2, 0].map(send));
  const larger = await Promise.all([1_100_001, 20_000_000].map(send));
  const announced = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  const lie = await call(session, [announced]);

  for (const { code, details } of fits) assert.equal(code, status.OK, details);
  assert.match(Buffer.from(fits[1]?.message?.data as Uint8Array).toString(), /"length":1048576/);
  for (const { code, details } of larger) {
    assert.equal(code, status.RESOURCE_EXHAUSTED, details);
    assert.match(details, /larger than 1100000 bytes/);
  }
  assert.equal(lie.code, status.RESOURCE_EXHAUSTED);
  assert.equal((await send(5)).code, status.OK);
});

test("what is no gRPC gets a status of HTTP", async (t) => {
  const { session } = await start(t);
  const good = framed(message("x"));

  const json = await call(session, [good], { "content-type": "application/json" });
  const web = await call(session, [good], { "content-type": "application/grpc-web+proto" });
  const grpcJson = await call(session, [good], { "content-type": "application/grpc+json" });
  const get = await call(session, [], { ":method": "GET", "content-type": undefined });
  const put = await call(session, [good], { ":method": "PUT" });
  const proto = await call(session, [good], { "content-type": "application/grpc+proto; x=y" });

  assert.deepEqual(
    [json, web, grpcJson, get, put].map(({ headers }) => headers[":status"]),
    [415, 415, 415, 415, 405],
  );
  assert.match(get.body.toString(), /gRPC/);
  assert.equal(proto.code, status.OK);
});

test("a grpc-timeout that is none is refused; units go from hours to nanoseconds", async (t) => {
  const { session } = await start(t);
  const codes = async (...timeouts: string[]) =>
    Promise.all(
      timeouts.map(
        async (one) => (await call(session, [framed(message("x"))], { "grpc-timeout": one })).code,
      ),
    );

  assert.deepEqual(await codes("1H", "99999999H", "2M", "60S", "60000m"), [0, 0, 0, 0, 0]);
  assert.deepEqual(await codes("", "1", "1s", "-1S", "123456789S", "1.5S"), [13, 13, 13, 13, 13, 13]);
});

test("bytes that are neither HTTP/1.1 nor HTTP/2 end their own connection only", async (t) => {
  const { framework, session } = await start(t);

  const garbage = await converse(framework.port, "\x16\x03\x01 this is TLS, or what\r\n\r\n");
  const start1 = await converse(framework.port, "PRINT / HTTP/1.1\r\n\r\n");
  const afterPreface = await converse(
    framework.port,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"no frame at all ".repeat(100)}`,
  );
  const silent = connect(framework.port, "127.0.0.1");
  await once(silent, "connect");
  silent.end(); // a probe of the port
  await once(silent.resume(), "close");

  assert.match(garbage, /^HTTP\/1\.1 400/);
  assert.equal(start1.startsWith("HTTP/1.1 200"), false);
  assert.equal(typeof afterPreface, "string");
  assert.equal((await call(session, [framed(message("x"))])).code, status.OK);
  assert.ok(!framework.hasEnded());
});

test("the first bytes of a connection may come one by one, for both protocols", async (t) => {
  const { framework } = await start(t);
  const drip = async (text: string) => {
    const socket = connect(framework.port, "127.0.0.1").setNoDelay();
    await once(socket, "connect");
    for (const character of text) {
      socket.write(character);
      await new Promise(setImmediate);
    }
    const [first] = await withDeadline(once(socket, "data"), "an answer comes");
    socket.destroy();
    return first as Buffer;
  };

  const http1 = await drip("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  const post = await drip("POST /queue HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1");
  const http2 = await drip("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

  assert.match(http1.toString(), /^HTTP\/1\.1 200 OK/);
  assert.match(post.toString(), /^HTTP\/1\.1 200 OK/);
  assert.equal(http2[3], 4, "a SETTINGS frame");
  assert.equal((await request(`${framework.url}/healthz`)).text, "OK");
});

test("a connection that breaks in the middle of a message calls nobody, and others go on", async (t) => {
  const { framework, session } = await start(t);
  const other = connectHttp2(framework.url);
  other.on("error", () => undefined);
  const stream = other.request({
    ...{ ":method": "POST", ":path": `${service}/OnBindingEvent` },
    "content-type": "application/grpc",
  });
  stream.on("error", () => undefined);
  await new Promise((resolve) => stream.write(framed(message("half")).subarray(0, 8), resolve));
  await new Promise<void>((resolve) => other.ping(() => resolve())); // so it has arrived
  other.destroy();

  const { code } = await call(session, [framed(message("whole"))]);

  assert.equal(code, status.OK);
  assert.equal(framework.stdout.match(/called;/g)?.length, 1);
});

test("the headers carry the trace: in log lines of the function", async (t) => {
  const framework = await startModule(
    t,
    `exports.handle = (ctx) => ctx.log.info("hello " + ctx.id);`,
    ["--target=handle"],
    {
      env: { ...asyncContext(), APP_PROTOCOL: "grpc" },
    },
  );
  const sidecar = new Sidecar(`127.0.0.1:${framework.port}`);
  t.after(() => sidecar.close());
  const [trace, span] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
  const binary = Buffer.from(`0000${trace}01${span}0201`, "hex");

  await sidecar.call(
    "OnBindingEvent",
    { name: "queue" },
    { metadata: { "grpc-trace-bin": binary, "function-execution-id": "my-id" } },
  );
  await framework.says("hello my-id");

  const [line] = framework.logs().filter(({ message: text }) => text === "hello my-id");
  assert.match(JSON.stringify(line), new RegExp(`${trace}.*${span}`));
});
