/** The functions that generated requests are sent to. A row is a command that is started. */
import { announcedRoute } from "../../../src/dapr/protocol";
import type { Audience } from "./draft";
import type { RawReply } from "./reply-reader";
import { type Message, message } from "./wire";

export interface TargetPlan extends Audience {
  name: string;
  /** A folder of test/fixtures. */
  project: string;
  args: string[];
  /** Default: the package's bin. */
  command?: string;
  env?: Record<string, string>;
  /** Statuses that the function itself answers. */
  statuses?: readonly number[];
  /** The function fails by intention, not only for data that nests too deep for JSON.stringify. */
  mayFail?: boolean;
  /** Paths whose connection the function's failure cuts. */
  cuts?: RegExp;
  /** A plain request, the last on its connection, and its answer. */
  probe: Message;
  isRight(reply: RawReply): boolean;
}

/** For functions that answer with what they are given; the others take a gigabyte. */
const limit = { FF_BODY_LIMIT: "64kb" };
const json = [["Content-Type", "application/json"]] as const;
const inputs = {
  orders: { componentName: "orders", componentType: "bindings.mqtt3" },
  created: { componentName: "stream", componentType: "pubsub.redis", uri: "created" },
  other: { componentName: "other", componentType: "pubsub.redis", uri: "created" },
};

export const targets: readonly TargetPlan[] = [
  {
    name: "http",
    project: "echo-body",
    args: ["--target=echo"],
    env: limit,
    takes: "requests",
    paths: ["/", "/ok"],
    probe: get("/probe?a=1"),
    isRight: ({ status, body }) => status === 200 && parse(body).body.type === "undefined",
  },
  {
    name: "failures",
    project: "http-failures",
    args: ["--target=fail"],
    mayFail: true,
    cuts: /-after-part\b/,
    takes: "requests",
    paths: [
      "/ok",
      "/throws-error",
      "/throws-null",
      "/throws-object",
      "/rejects-error",
      "/rejects-undefined",
      "/thenable-rejects-null",
      "/throws-in-timer",
      "/throws-in-emitter",
      "/throws-in-stream",
      "/unhandled-rejection",
      "/unhandled-null",
      "/circular-json",
      "/line-break-in-header",
      "/status-42",
      "/headers-then-throws",
      "/throws-after-answer",
      "/timer-after-answer",
      "/sends-twice",
      "/throws-after-part",
      "/timer-after-part",
      "/rejects-after-part",
    ],
    probe: get("/ok"),
    isRight: ({ status, body }) => status === 200 && String(body) === "well",
  },
  {
    name: "events",
    project: "cloudevents",
    args: ["--target=seen", "--log-execution-id"],
    env: limit,
    takes: "events",
    paths: ["/"],
    probe: post("/", { id: "probe", source: "/fuzz", type: "probed", specversion: "1.0" }),
    isRight: ({ status, body }) => status === 200 && parse(body).seen.id === "probe",
  },
  {
    name: "legacy events",
    project: "legacy-events",
    args: ["--target=seen", "--signature-type=event"],
    env: limit,
    takes: "events",
    paths: ["/", "/projects/p/topics/t"],
    values: [
      {
        context: { eventId: "1", eventType: "t", resource: "r", timestamp: "2024-02-29T12:00:00Z" },
        data: { a: 1 },
      },
      { message: { data: "aGVsbG8=", attributes: { a: "b" }, messageId: "1" }, subscription: "s" },
      { message: 5 },
      { context: null, data: 1 },
      {
        eventId: "1",
        eventType: "providers/cloud.firestore/eventTypes/document.write",
        resource: "r",
        data: {},
      },
    ],
    probe: post("/", { context: { eventId: "probe", eventType: "t", resource: "r" }, data: { a: 1 } }),
    isRight: ({ status, body }) => status === 200 && parse(body).data.a === 1,
  },
  {
    name: "data",
    project: "context",
    args: ["--target=describe", "--signature-type=openfunction"],
    env: limit,
    takes: "data",
    paths: ["/"],
    probe: post("/", { a: 1 }),
    isRight: ({ status, body }) => status === 200 && parse(body).data.a === 1,
  },
  {
    name: "deliveries",
    project: "fuzz",
    args: ["--target=delivered", "--max-concurrency=2", "--queue=2", "--timeout=1"],
    env: {
      ...limit,
      FUNC_CONTEXT: JSON.stringify({ name: "fuzz", version: "1", runtime: "Async", inputs }),
      APP_API_TOKEN: "a token",
    },
    mayFail: true,
    takes: "data",
    paths: ["/orders", announcedRoute("stream", "created"), announcedRoute("other", "created"), "/created"],
    headers: [["dapr-api-token", "a token"]],
    values: ["throw", "throw null", "throw later", "send to nobody", "take long", "take long"].map(
      (word) => ({
        do: word,
      }),
    ),
    probe: get("/healthz"),
    isRight: ({ status, body }) => status === 200 && String(body) === "OK",
  },
  {
    name: "several",
    project: "fuzz",
    args: ["serve.js"],
    command: process.execPath,
    env: {
      ...limit,
      PORT: "0",
      FF_HEALTH: "true",
      FF_METRICS: "true",
      IGNORED_ROUTES: "/ignored|/i/:id",
      FF_MAX_CONCURRENCY: "3",
      CLOUD_RUN_TIMEOUT_SECONDS: "1",
    },
    statuses: [202],
    mayFail: true,
    takes: "requests",
    paths: [
      "/page",
      "/pages/a",
      "/pages/%F0%9F%98%80",
      "/pages/__proto__",
      "/files/a/b/c",
      "/files/%2F",
      "/stream",
      "/web",
      "/later",
      "/sum",
      "/forward",
      "/forward/x",
      "/data",
      "/ignored",
      "/i/1",
      "/health/liveness",
      "/health/readiness",
    ],
    rarePaths: ["/never", "/metrics"],
    values: [{ numbers: [1, 2, 3] }, { numbers: [] }, { numbers: 5 }],
    probe: get("/health/liveness"),
    isRight: ({ status, body }) => status === 200 && String(body) === "OK",
  },
];

function get(path: string): Message {
  return message({ method: "GET", path, headers: [], body: undefined }, [], Buffer.alloc(0));
}

function post(path: string, value: unknown): Message {
  const body = Buffer.from(JSON.stringify(value));
  return message(
    { method: "POST", path, headers: [...json], body },
    [["Content-Length", `${body.length}`]],
    body,
  );
}

// biome-ignore lint/suspicious/noExplicitAny: the probe's answer is known
function parse(body: Buffer): any {
  return JSON.parse(String(body));
}
