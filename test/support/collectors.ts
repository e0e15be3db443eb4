/** Collectors of traces: real servers that decode what comes with protobufjs, gRPC with @grpc/grpc-js. */
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";

import * as grpc from "@grpc/grpc-js";
import * as protobuf from "protobufjs";

import { until } from "./wait";

/** A part of opentelemetry/proto/collector/trace/v1, with its numbers. */
const otlp = protobuf.parse(`
  syntax = "proto3";
  message Request { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    repeated KeyValue attributes = 9; repeated Event events = 11; repeated Link links = 13; Status status = 15;
  }
  message Event { string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; } }
`).root;

export interface OtlpSpan {
  name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  traceId: string;
  spanId: string;
  /** Empty: none. */
  parent: string;
  attributes: Record<string, unknown>;
  events: { name: string; attributes: Record<string, unknown> }[];
  links: { traceId: string; spanId: string }[];
  /** 0 unset, 1 ok, 2 error. */
  status: number;
  resource: Record<string, unknown>;
}

export interface OtlpCollector {
  url: string;
  spans: OtlpSpan[];
  requests: { path: string; headers: IncomingHttpHeaders }[];
  /** Resolves when there are spans of these names, or as many as wanted. */
  has(...names: string[]): Promise<void>;
  span(name: string): OtlpSpan;
}

/** `answer`: the status of each request. */
export async function startOtlpCollector(
  t: TestContext,
  { answer = () => 200 }: { answer?: () => number } = {},
): Promise<OtlpCollector> {
  const news = new EventEmitter();
  const spans: OtlpSpan[] = [];
  const requests: OtlpCollector["requests"] = [];
  const url = await listen(t, (path, headers, body) => {
    requests.push({ path, headers });
    const status = answer();
    const bytes = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    if (status === 200) spans.push(...readOtlp(bytes, headers["content-type"] === "application/json"));
    news.emit("news");
    return status;
  });
  return {
    url,
    spans,
    requests,
    has: (...names) =>
      until(
        () => names.every((name) => spans.some((span) => span.name === name)),
        news,
        "news",
        `spans ${names.join(", ")}; there are ${spans.map(({ name }) => name).join(", ")}`,
        30_000,
      ),
    span(name) {
      const found = spans.find((span) => span.name === name);
      if (!found) throw new Error(`No span ${name}: ${spans.map((span) => span.name).join(", ")}`);
      return found;
    },
  };
}

type KeyValue = { key: string; value?: Record<string, unknown> };
const textOf = (id: unknown) => (typeof id === "string" ? id : Buffer.from(id as Uint8Array).toString("hex"));

function readOtlp(bytes: Buffer, isJson: boolean): OtlpSpan[] {
  const type = otlp.lookupType("Request");
  const message = isJson
    ? JSON.parse(bytes.toString("utf8"))
    : type.toObject(type.decode(bytes), { longs: Number, arrays: true, defaults: false });
  const found: OtlpSpan[] = [];
  for (const { resource, scopeSpans } of message.resourceSpans)
    for (const scope of scopeSpans)
      for (const span of scope.spans)
        found.push({
          name: span.name,
          kind: span.kind ?? 0,
          traceId: textOf(span.traceId),
          spanId: textOf(span.spanId),
          parent: textOf(span.parentSpanId ?? ""),
          attributes: attributesOf(span.attributes),
          events: (span.events ?? []).map((event: { name: string; attributes: KeyValue[] }) => ({
            name: event.name,
            attributes: attributesOf(event.attributes),
          })),
          links: (span.links ?? []).map((link: { traceId: unknown; spanId: unknown }) => ({
            traceId: textOf(link.traceId),
            spanId: textOf(link.spanId),
          })),
          status: span.status?.code ?? 0,
          resource: attributesOf(resource.attributes),
        });
  return found;
}

function attributesOf(pairs: KeyValue[] = []): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value ?? {})[0]]));
}

/** language-agent/Tracing.proto of SkyWalking, with its numbers. */
const skywalking = protobuf.parse(`
  syntax = "proto3";
  message Segment {
    string traceId = 1; string traceSegmentId = 2; repeated Span spans = 3;
    string service = 4; string serviceInstance = 5; bool isSizeLimited = 6;
  }
  message Ref {
    int32 refType = 1; string traceId = 2; string parentTraceSegmentId = 3; int32 parentSpanId = 4;
    string parentService = 5; string parentServiceInstance = 6; string parentEndpoint = 7;
    string networkAddressUsedAtPeer = 8;
  }
  enum SpanType { Entry = 0; Exit = 1; Local = 2; }
  enum SpanLayer { Unknown = 0; Database = 1; RPCFramework = 2; Http = 3; MQ = 4; Cache = 5; FAAS = 6; }
  message Span {
    int32 spanId = 1; int32 parentSpanId = 2; int64 startTime = 3; int64 endTime = 4; repeated Ref refs = 5;
    string operationName = 6; string peer = 7; SpanType spanType = 8; SpanLayer spanLayer = 9;
    int32 componentId = 10; bool isError = 11; repeated Tag tags = 12; repeated Log logs = 13; bool skipAnalysis = 14;
  }
  message Log { int64 time = 1; repeated Tag data = 2; }
  message Tag { string key = 1; string value = 2; }
  message Commands {}
`).root;

export interface SwSpan {
  spanId: number;
  parentSpanId: number;
  startTime: number;
  endTime: number;
  operationName: string;
  peer: string;
  spanType: string;
  spanLayer: string;
  componentId: number;
  isError: boolean;
  refs: Record<string, unknown>[];
  tags: { key: string; value: string }[];
  logs: { time: number; data: { key: string; value: string }[] }[];
}

export interface SwSegment {
  traceId: string;
  traceSegmentId: string;
  service: string;
  serviceInstance: string;
  spans: SwSpan[];
}

export interface SwCollector {
  /** For `oapServer`. */
  address: string;
  segments: SwSegment[];
  paths: string[];
  /** What came with the segments, by name in lower case. */
  authentication: unknown[];
  count(wanted: number): Promise<void>;
}

const waiter = (segments: SwSegment[], news: EventEmitter) => (wanted: number) =>
  until(() => segments.length >= wanted, news, "news", `${wanted} segments`, 30_000);

/** OAP's REST. */
export async function startRestCollector(t: TestContext): Promise<SwCollector> {
  const news = new EventEmitter();
  const segments: SwSegment[] = [];
  const paths: string[] = [];
  const authentication: unknown[] = [];
  const address = await listen(t, (path, headers, body) => {
    paths.push(path);
    authentication.push(headers.authentication);
    // Through the message, so that only what the proto knows is there.
    const type = skywalking.lookupType("Segment");
    for (const one of JSON.parse(body.toString("utf8")))
      segments.push(type.toObject(type.fromObject(one), plain) as SwSegment);
    news.emit("news");
    return 200;
  });
  return { address, segments, paths, authentication, count: waiter(segments, news) };
}

const plain = { longs: Number, enums: String, defaults: true, arrays: true };

/** OAP's gRPC. */
export async function startGrpcCollector(t: TestContext): Promise<SwCollector> {
  const news = new EventEmitter();
  const segments: SwSegment[] = [];
  const paths: string[] = [];
  const authentication: unknown[] = [];
  const type = skywalking.lookupType("Segment");
  const commands = skywalking.lookupType("Commands");
  const server = new grpc.Server();
  const path = "/skywalking.v3.TraceSegmentReportService/collect";
  server.addService(
    {
      collect: {
        path,
        requestStream: true,
        responseStream: false,
        requestSerialize: (value: object) => Buffer.from(type.encode(value).finish()),
        requestDeserialize: (bytes: Buffer) => type.toObject(type.decode(bytes), plain),
        responseSerialize: (value: object) => Buffer.from(commands.encode(value).finish()),
        responseDeserialize: (bytes: Buffer) => commands.decode(bytes),
      },
    },
    {
      collect(call: grpc.ServerReadableStream<SwSegment, object>, done: grpc.sendUnaryData<object>) {
        paths.push(path);
        authentication.push(call.metadata.get("authentication")[0]);
        call.on("data", (segment: SwSegment) => segments.push(segment));
        call.on("end", () => {
          done(null, {});
          news.emit("news");
        });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (err, bound) => (err ? reject(err) : resolve(bound)));
  });
  t.after(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, segments, paths, authentication, count: waiter(segments, news) };
}

async function listen(
  t: TestContext,
  receive: (path: string, headers: IncomingHttpHeaders, body: Buffer) => number,
): Promise<string> {
  const server: Server = createServer(async (req, res) => {
    const parts: Buffer[] = [];
    for await (const part of req) parts.push(part as Buffer);
    const status = receive(req.url ?? "", req.headers, Buffer.concat(parts));
    res.writeHead(status, { "Content-Type": req.headers["content-type"] ?? "" }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
