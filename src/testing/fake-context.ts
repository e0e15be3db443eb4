/** `fakeContext()`: a complete ctx without a sidecar, for calling a `(ctx, data)` function itself. */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { DaprClient } from "@dapr/dapr";

import { Invocation } from "../core/invocation";
import { createLogger, type LogFields, type Logger, type LogLevel } from "../core/log";
import { createOutputs } from "../dapr/outputs";
import type {
  CloudEvent,
  InvocationInput,
  OpenFunctionContext,
  Plugins,
  Request,
  Response,
} from "../functions/types";
import { createContextClass } from "../signatures/context";
import { Sends } from "../signatures/sends";
import { createComponents, type TestComponents } from "./components";
import { readTestContext, type TestContextOptions } from "./context";
import { createMemorySidecar, noSdk } from "./memory-sidecar";
import { type RecordedSend, recordOutputs } from "./recorder";
import { type TestSecrets, testState } from "./stores";

export interface FakeContextOptions extends TestContextOptions {
  /** What is in the first state store at the start, by key. */
  state?: Readonly<Record<string, unknown>>;
  secrets?: TestSecrets;
  /** The message's input: a name of the inputs, or what `ctx.input` is to be. */
  input?: string | Partial<InvocationInput>;
  event?: CloudEvent;
  rawBody?: Buffer;
  req?: Request;
  res?: Response;
  id?: string;
  /** Aborted by the test. Default: never aborted. */
  signal?: AbortSignal;
  locals?: Record<string, unknown>;
  plugins?: Plugins;
  /** What `ctx.dapr()` resolves to. Default: it rejects with FF_TEST_SDK. */
  dapr?: DaprClient;
}

export interface LoggedLine {
  level: LogLevel;
  message: string;
  fields: LogFields;
}

export interface FakeContext extends OpenFunctionContext {
  /** What was sent, in order; what failed too. */
  readonly sent: readonly RecordedSend[];
  /** The data of what was sent to one output. */
  sentTo(output: string): unknown[];
  /** The lines of `ctx.log`, which go nowhere else. */
  readonly logged: readonly LoggedLine[];
  /** Waits for sends and writes that the function has not awaited; rejects as the invocation would fail. */
  settled(): Promise<void>;
  /** All that a state store holds, by key. Default: the first store. */
  stored(store?: string): Promise<Record<string, unknown>>;
}

/** Every member of ctx works, in memory. Errors: FF_CONTEXT_*. */
export function fakeContext(options: FakeContextOptions = {}): FakeContext {
  const { context, handlers } = readTestContext(options, { runtime: "Async", name: "function" });
  const { id, signal, locals, plugins = {}, dapr } = options;
  const components = createComponents(context, handlers, options.secrets ?? {});
  seed(components, options.state);
  const sidecar = createMemorySidecar(components);
  const sent: RecordedSend[] = [];
  const logged: LoggedLine[] = [];
  const outputs = recordOutputs(createOutputs(context.outputs, sidecar), handlers, sent);
  const Context = createContextClass({
    name: context.name,
    function: () => undefined,
    format: undefined,
    context,
    outputs,
    sidecar,
    dapr: dapr === undefined ? noSdk : { client: async () => dapr, stop: async () => undefined },
    hooks: [],
    tracing: undefined,
    plugins,
    production: false,
  });
  const invocation = new Invocation(context.name, "openfunction", "http", silentResponse(id));
  signal?.addEventListener("abort", () => invocation.abort(signal.reason), { once: true });
  if (signal?.aborted) invocation.abort(signal.reason);
  Object.assign(invocation.locals, locals);
  const sends = new Sends(outputs, invocation, options.event);
  const { event, rawBody, req, res } = options;
  const ctx = new Context(invocation, sends, {
    input: inputOf(options.input, context.inputs),
    event,
    rawBody,
    ...(req && { req }),
    ...(res && { res }),
  });
  const log = { value: recordingLogger(logged), enumerable: true };
  return Object.assign(Object.defineProperty(ctx, "log", log), {
    sent,
    sentTo: (output: string) => sent.filter((send) => send.output === output).map(({ data }) => data),
    logged,
    settled: () => sends.settle(),
    stored: (store?: string) => testState(components.stores).all(store),
  });
}

/** Fills the first store; in memory a write is done when it is made. Error: a value that JSON has no form for. */
export function seed({ stores }: TestComponents, state: Readonly<Record<string, unknown>> = {}): void {
  JSON.stringify(state);
  if (stores.size === 0) return;
  const { set } = testState(stores);
  for (const [key, value] of Object.entries(state)) void set(key, value);
}

function inputOf(
  given: FakeContextOptions["input"],
  inputs: OpenFunctionContext["inputs"],
): InvocationInput | undefined {
  const name = typeof given === "string" ? given : (given?.name ?? Object.keys(inputs)[0]);
  if (name === undefined) return undefined;
  const { componentName = name, componentType = "bindings.in-memory", uri } = inputs[name] ?? {};
  const isTopic = componentType.startsWith("pubsub.") && uri !== undefined;
  const own = typeof given === "object" ? given : {};
  return { name, componentName, componentType, ...(isTopic && { topic: uri }), metadata: {}, ...own };
}

// An invocation reads its id from a request, and ends with a response: nobody sent this one.
function silentResponse(id: string | undefined): ServerResponse {
  const req = new IncomingMessage(new Socket());
  if (id !== undefined) req.rawHeaders.push("function-execution-id", id);
  return new ServerResponse(req);
}

function recordingLogger(logged: LoggedLine[]): Logger {
  const logger = createLogger();
  for (const level of Object.keys(logger) as LogLevel[])
    logger[level] = (message, fields = {}) => void logged.push({ level, message, fields });
  return logger;
}
