/** `createTestSidecar()`: a sidecar in the process of the test. Between it and the function there is real HTTP. */
import { randomUUID } from "node:crypto";

import { bytesOf } from "../core/bytes";
import { isCloudEvent } from "../core/cloudevent";
import { frameworkError } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { logError } from "../core/log";
import { wrapMessage } from "../dapr/envelope";
import { readJsonOrText } from "../dapr/reply";
import type { FunctionContext, OpenFunction } from "../functions/types";
import type { AppReply, Message } from "../local/components/component";
import { startRuntime } from "../local/runtime";
import { createComponents, type SidecarSend } from "./components";
import { readTestContext, type TestContextOptions } from "./context";
import { seed } from "./fake-context";
import type { SendHandler } from "./recorder";
import { type Served, type ServedOptions, serveForTest } from "./served";
import { type TestSecrets, type TestState, testState } from "./stores";

export interface TestSidecarOptions extends TestContextOptions {
  /** What is in the first state store at the start, by key. */
  state?: Readonly<Record<string, unknown>>;
  /** The secret store `secrets`. */
  secrets?: TestSecrets;
  /** DAPR_API_TOKEN: the function must send it. */
  apiToken?: string;
  /** APP_API_TOKEN: the sidecar sends it. */
  appToken?: string;
}

export interface DeliverOptions {
  /** What the component says about the message: `ctx.input.metadata`. */
  metadata?: Record<string, string>;
  /** Of a topic: attributes of the CloudEvent around the data, such as `id` and `type`. */
  event?: Record<string, unknown>;
  /** Of a topic: the bytes as they are, without an event around them. */
  raw?: boolean;
  /** Deliveries until it is taken or dropped, as a broker repeats them, without a pause. Default 1. */
  attempts?: number;
}

/** What became of a message. */
export interface Delivered {
  outcome: "ack" | "retry" | "drop";
  /** Status of the answer; 0 when there was none. */
  status: number;
  /** What the function has returned to a binding: JSON parsed, else text. */
  value: unknown;
  /** What the function threw at the last attempt, as it threw it; undefined for an app that is attached. */
  error: unknown;
  /** `ctx.locals` of the last attempt. */
  locals: Record<string, unknown>;
  /** How often it was delivered. */
  attempts: number;
}

export interface TestSidecar {
  readonly port: number;
  readonly url: string;
  /** For a process of its own: DAPR_HOST, DAPR_HTTP_PORT, FUNC_CONTEXT and the tokens. */
  readonly env: Readonly<Record<string, string>>;
  readonly context: FunctionContext;
  /** Serves a function of this process, and attaches it. Again: another one takes its place. */
  serve(target: string | OpenFunction, options?: ServedOptions): Promise<Served>;
  /** An app that listens at this URL, in any language; its subscriptions start. */
  attach(url: string): Promise<void>;
  /**
   * Delivers a message to an input, by its name: texts and bytes as they are, nothing as an empty body, anything else as
   * JSON. One at a topic is put into a CloudEvent, unless it is one. Errors: FF_TEST_NOT_SERVED, FF_TEST_INPUT.
   */
  deliver(input: string, data?: unknown, options?: DeliverOptions): Promise<Delivered>;
  /** What was sent and published, in order; what was made to fail too. Nothing of it is delivered to anybody. */
  readonly sent: readonly SidecarSend[];
  /** The data of what was sent to one output. */
  sentTo(output: string): unknown[];
  /** Makes the next sends to an output fail. `times`: how many, default all. Error: FF_TEST_OUTPUT. */
  fail(output: string, options?: { times?: number; message?: string }): void;
  /** What comes of sends to an output from now on; undefined: nothing but success. Error: FF_TEST_OUTPUT. */
  reply(output: string, handler: SendHandler | undefined): void;
  readonly state: TestState;
  /** Stops the function that it serves, too. Twice is fine. */
  stop(): Promise<void>;
}

/** Listens on any port of loopback. Errors: FF_CONTEXT_*. */
export async function createTestSidecar(options: TestSidecarOptions = {}): Promise<TestSidecar> {
  const { context, handlers } = readTestContext(options, { runtime: "Async", name: "function" });
  const { apiToken, appToken } = options;
  const components = createComponents(context, handlers, options.secrets ?? {});
  seed(components, options.state);
  const runtime = await startRuntime({
    function: context.name,
    appId: "test",
    components: components.specs,
    open: components.open,
    port: { port: 0, explicit: false, flag: "--dapr-port" },
    maxAttempts: 1,
    apiToken,
    appToken,
    onNotice: (notice) => ("recovered" in notice ? undefined : logError(notice)),
  });
  const env = {
    DAPR_HOST: "127.0.0.1",
    DAPR_HTTP_PORT: String(runtime.port),
    DAPR_HTTP_ENDPOINT: "",
    DAPR_API_TOKEN: apiToken ?? "",
    APP_API_TOKEN: appToken ?? "",
    FUNC_CONTEXT: JSON.stringify(context),
  };
  const invocations = new Map<string, Invocation>(); // of what is being delivered, by id
  let served: Served | undefined;
  let isAttached = false;

  async function attach(url: string): Promise<void> {
    await runtime.attach(url);
    isAttached = true;
  }

  async function serve(target: string | OpenFunction, more: ServedOptions = {}): Promise<Served> {
    const before = served;
    const one = await serveForTest(target, {
      ...more,
      context,
      env: { ...process.env, ...env, APP_PROTOCOL: "http" },
      onInvocation: (invocation) =>
        invocations.has(invocation.id) && invocations.set(invocation.id, invocation),
    });
    served = one;
    if (context.runtime === "Async") await attach(one.url);
    await before?.stop();
    return one;
  }

  function readerOf(input: string) {
    const { componentName, componentType, uri } = context.inputs[input] ?? {};
    const isTopic = componentType?.startsWith("pubsub.") ?? false;
    const reader = components.reader(componentName ?? "", isTopic ? uri : undefined);
    if (!isAttached) throw frameworkError("FF_TEST_NOT_SERVED", {});
    if (!reader || componentName === undefined)
      throw frameworkError("FF_TEST_INPUT", { input, known: Object.keys(context.inputs) });
    return { reader, pubsub: isTopic ? componentName : undefined, topic: uri ?? "" };
  }

  async function deliver(input: string, data?: unknown, more: DeliverOptions = {}): Promise<Delivered> {
    const { reader, pubsub, topic } = readerOf(input);
    const payload =
      pubsub === undefined || more.raw ? bodyOf(data) : envelope(pubsub, topic, data, more.event ?? {});
    const limit = more.attempts ?? 1;
    for (let attempts = 1; ; attempts++) {
      const id = randomUUID();
      let reply: AppReply = { word: "RETRY" };
      const message: Message = {
        topic,
        payload,
        // The id by which the invocation is known here; it is no metadata to the function.
        metadata: { ...more.metadata, "function-execution-id": id },
        onReply: (one) => {
          reply = one;
        },
      };
      invocations.set(id, undefined as unknown as Invocation);
      await reader(message).catch(() => undefined); // not taken: that is what `reply` says
      const invocation = invocations.get(id);
      invocations.delete(id);
      if (reply.word === "RETRY" && attempts < limit) continue;
      return {
        outcome: outcomes[reply.word],
        status: reply.http?.status ?? 0,
        value: pubsub === undefined && reply.word === "SUCCESS" ? returnedBy(reply) : undefined,
        error: invocation?.error,
        locals: invocation?.locals ?? {},
        attempts,
      };
    }
  }

  function reply(output: string, handler: SendHandler | undefined): void {
    if (!Object.hasOwn(context.outputs, output))
      throw frameworkError("FF_TEST_OUTPUT", { output, known: Object.keys(context.outputs) });
    if (handler) handlers.set(output, handler);
    else handlers.delete(output);
  }

  return {
    port: runtime.port,
    url: `http://127.0.0.1:${runtime.port}`,
    env,
    context,
    serve,
    attach,
    deliver,
    sent: components.sent,
    sentTo: (output) => components.sent.filter((send) => send.output === output).map(({ data }) => data),
    fail(output, { times = Number.POSITIVE_INFINITY, message = "The test makes it fail." } = {}) {
      const before = handlers.get(output);
      let left = times;
      reply(output, (data, sendOptions) => {
        if (left <= 0) return before?.(data, sendOptions);
        left--;
        throw new Error(message);
      });
    },
    reply,
    state: testState(components.stores),
    async stop() {
      await runtime.stop();
      await served?.stop();
    },
  };
}

const outcomes = { SUCCESS: "ack", RETRY: "retry", DROP: "drop" } as const;

function bodyOf(data: unknown): Buffer {
  if (data === undefined) return Buffer.alloc(0);
  if (ArrayBuffer.isView(data)) return bytesOf(data);
  return Buffer.from(typeof data === "string" ? data : JSON.stringify(data));
}

// What a sidecar makes of a message that somebody else has published.
function envelope(pubsub: string, topic: string, data: unknown, attributes: Record<string, unknown>): Buffer {
  const contentType = ArrayBuffer.isView(data)
    ? "application/octet-stream"
    : typeof data === "string"
      ? "text/plain"
      : "application/json";
  const event = isCloudEvent(data)
    ? { ...data, pubsubname: pubsub, topic }
    : wrapMessage({
        pubsub,
        topic,
        appId: "test",
        body: bodyOf(data ?? null),
        contentType,
        metadata: {},
        traceparent: undefined,
        tracestate: undefined,
      });
  return Buffer.from(JSON.stringify({ ...event, ...attributes }));
}

function returnedBy({ http }: AppReply): unknown {
  if (!http || http.body.length === 0) return undefined;
  const type = String(http.headers["content-type"] ?? "");
  if (type.startsWith("application/octet-stream")) return http.body;
  return type.startsWith("text/") ? http.body.toString("utf8") : readJsonOrText(http.body);
}
