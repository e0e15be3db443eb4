/** Calls a registered function once, for tests of user code: through a server as the command's, with recorded sends. */
import { once } from "node:events";
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as openRequest,
} from "node:http";
import type { AddressInfo } from "node:net";

import { bytesOf } from "../core/bytes";
import type { Invocation } from "../core/invocation";
import { createOutputs } from "../dapr/outputs";
import type { Registration } from "../functions/registry";
import { createTestServer, registrationOf } from "../serving/testing";
import { createComponents } from "./components";
import { readTestContext, type TestContextOptions } from "./context";
import { seed } from "./fake-context";
import { createMemorySidecar, noSdk } from "./memory-sidecar";
import { type RecordedSend, recordOutputs } from "./recorder";
import { type TestSecrets, testState } from "./stores";

/** What an http function is asked; every field has a default. */
export interface InvokeRequest {
  /** Default: POST with a body, else GET. */
  method?: string;
  /** Path and query. Default: the path the function is registered with, when it has no parameters; else `/`. */
  path?: string;
  headers?: Record<string, string>;
  /** Text and bytes go as they are, anything else as JSON. */
  body?: unknown;
}

/** Beside the headers, all is for `(ctx, data)` functions, and stands in for a sidecar. */
export interface InvokeOptions extends Pick<TestContextOptions, "context" | "outputs" | "states"> {
  headers?: Record<string, string>;
  /** What is in the first state store at the start, by key. */
  state?: Readonly<Record<string, unknown>>;
  secrets?: TestSecrets;
}

export interface InvokeResult {
  /** 0 when the connection has ended before anything of the answer was there. */
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  /** The answer: JSON parsed, else text; undefined when it is empty. The text of a broken one. */
  value: unknown;
  /** True when the answer ends before its end, as that of a function which fails after a part of it is out. */
  broken: boolean;
  /** What the function threw, as it threw it. */
  error: unknown;
  /** What it sent, in order. */
  sends: RecordedSend[];
  /** `ctx.locals`, and the `locals` of hooks. */
  locals: Record<string, unknown>;
  /** What the first state store holds afterwards, by key. */
  state: Record<string, unknown>;
}

/**
 * Calls the function that is registered under a name. `input` is by signature: a request (http), an event or part of
 * one (cloudevent), `{ data, context }` (event), the request (typed), the data (openfunction).
 * Errors: FF_TARGET_NOT_FOUND; a failure of the function is no error but the result's `status`, `error` and `broken`.
 */
export async function invoke(
  name: string,
  input?: unknown,
  { headers = {}, state, secrets = {}, ...options }: InvokeOptions = {},
): Promise<InvokeResult> {
  const registered = registrationOf(name);
  const sends: RecordedSend[] = [];
  let invocation: Invocation | undefined;
  const { context, handlers } = readTestContext(options, { runtime: "Knative", name });
  const components = createComponents(context, handlers, secrets);
  seed(components, state);
  const sidecar = createMemorySidecar(components);
  const outputs = recordOutputs(createOutputs(context.outputs, sidecar), handlers, sends);
  const server = createTestServer(registered, {
    ...(registered.signature === "openfunction" && { context, doubles: { outputs, sidecar, dapr: noSdk } }),
    onInvocation: (one) => {
      invocation = one;
    },
  });
  server.listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const asked =
      registered.signature === "http"
        ? (input as InvokeRequest | undefined)
        : eventRequest(registered.signature, input);
    const reply = await exchange((server.address() as AddressInfo).port, {
      path: pathOf(registered),
      ...asked,
      headers: { ...asked?.headers, ...headers },
    });
    const { error, locals = {} } = invocation ?? {};
    return { ...reply, error, sends, locals, state: await testState(components.stores).all() };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

// One that the function answers. Callers of events have no say in it, so parameters are filled with their names.
function pathOf({ signature, options: { path = "/" } }: Registration): string {
  if (signature === "http" && /[:*{]/.test(path)) return "/";
  return path.replace(/[{}]/g, "").replace(/[:*](\w+)/g, "$1");
}

const eventDefaults = { id: "1", source: "/test", type: "test", specversion: "1.0" };

/** The POST that carries what a function of this signature gets. */
function eventRequest(signature: string, input: unknown): InvokeRequest {
  if (signature !== "cloudevent")
    return { method: "POST", body: ArrayBuffer.isView(input) ? input : json(input), headers: typeOf(input) };
  const { data, ...attributes } = { ...eventDefaults, ...(input as object) } as Record<string, unknown>;
  const event = ArrayBuffer.isView(data)
    ? { ...attributes, data_base64: bytesOf(data).toString("base64") }
    : { ...attributes, data };
  return { method: "POST", body: json(event), headers: { "content-type": "application/cloudevents+json" } };
}

function json(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value);
}

function typeOf(input: unknown): Record<string, string> {
  return { "content-type": ArrayBuffer.isView(input) ? "application/octet-stream" : "application/json" };
}

async function exchange(port: number, { method, path = "/", headers = {}, body }: InvokeRequest) {
  const isRaw = typeof body === "string" || ArrayBuffer.isView(body);
  const bytes = body === undefined ? undefined : isRaw ? body : JSON.stringify(body);
  const type = body === undefined || isRaw ? {} : { "content-type": "application/json" };
  const req = openRequest({
    port,
    host: "127.0.0.1",
    method: method ?? (body === undefined ? "GET" : "POST"),
    path,
    headers: { ...type, ...headers },
    agent: false,
  });
  req.end(ArrayBuffer.isView(bytes) ? bytesOf(bytes) : bytes);
  const { res, reply, broken } = await receive(req);
  const { statusCode = 0, headers: replied = {} } = res ?? {};
  const text = reply.toString("utf8");
  const value = broken ? text || undefined : answerOf(text, replied);
  return { status: statusCode, headers: replied, body: reply, text, value, broken };
}

// A connection that breaks is the function's doing: the server is here, and nobody else ends it.
async function receive(req: ClientRequest) {
  const parts: Buffer[] = [];
  let res: IncomingMessage | undefined;
  let broken = false;
  try {
    [res] = (await once(req, "response")) as [IncomingMessage];
    req.on("error", () => undefined); // the response tells of it
    for await (const part of res) parts.push(part as Buffer);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ECONNRESET") throw err;
    broken = true;
  }
  return { res, reply: Buffer.concat(parts), broken };
}

function answerOf(text: string, headers: IncomingHttpHeaders): unknown {
  if (text === "") return undefined;
  return /[/+]json\b/.test(headers["content-type"] ?? "") ? JSON.parse(text) : text;
}
