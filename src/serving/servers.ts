/** The server of each runtime: requests to functions (sync), Dapr's deliveries (async). */
import type { Server, ServerResponse } from "node:http";
import { createRequire } from "node:module";

import { frameworkError } from "../core/errors";
import type { Lifecycle } from "../core/lifecycle";
import { log } from "../core/log";
import { sidecarFrom } from "../dapr/sidecar";
import { createSidecarClient, type SidecarClient } from "../dapr/sidecar-client";
import { type Registration, registry } from "../functions/registry";
import type { FunctionContext } from "../functions/types";
import type { LoadedFunction } from "../loading/loaded";
import type { Target } from "../signatures/signature";
import { signatures } from "../signatures/table";
import type { Metrics } from "../telemetry/metrics";
import type { Concurrency } from "./concurrency";
import { createHandler, type RequestLimits } from "./handler";
import type { HealthOptions } from "./health";
import { createHttpServer } from "./http-server";
import { defaultIgnoredRoutes } from "./ignored-routes";
import type * as InputsGrpc from "./inputs-grpc";
import type * as InputsHttp from "./inputs-http";
import type { InputsOptions } from "./inputs-http";
import type { ServedFunction, ServeOptions } from "./options";
import { createReserved } from "./reserved";
import { createRouter } from "./routes";
import { createTarget } from "./target";

const load = createRequire(__filename);

/** What the server of a runtime is made of. */
export interface ServerParts<O = ServeOptions> {
  options: O;
  concurrency: Concurrency | undefined;
  metrics: Metrics | undefined;
}

export interface NewServer {
  server: Server;
  functions: ServedFunction[];
  /** Loads what the first invocations may wait for. */
  warmUp?(): unknown;
  /** The stop begins. */
  onStop?: () => void;
  /** The grace period is over, and this answer is not given yet. */
  onLate?: (res: ServerResponse) => void;
  /** The same, once, for connections that are none of HTTP/1.1. */
  onCut?: () => void;
  /** One for all functions of the process. */
  sidecar: SidecarClient;
}

// Under the async runtime the signature option is ignored: images carry `http` as a default while the deployment
// picks the async target. Only a registration in code is a contradiction.
export function asyncServer(
  { options, concurrency, metrics }: ServerParts<AsyncOptions>,
  context: FunctionContext,
): NewServer {
  const { functions, env, limits, lifecycle } = options;
  const [loaded] = functions;
  if (loaded === undefined || functions.length > 1)
    throw frameworkError("FF_FUNCTION_SINGLE", { names: functions.map(({ name }) => name) });
  const { name, signature } = loaded;
  if (signature !== undefined && signature !== "openfunction")
    throw frameworkError("FF_SIGNATURE_CONFLICT", { name, signature });
  if (Object.values(context.inputs).every(({ subscribed }) => subscribed === false))
    log.warn("The function context declares no inputs: nothing will be delivered.");
  const sidecar = openSidecar(options);
  const { createInputsHandler } = load("./inputs-http.js") as typeof InputsHttp;
  const inputs: InputsOptions = {
    target: { ...openTarget(options, loaded, sidecar), context },
    bodyLimit: limits.bodyLimit,
    timeout: limits.timeout,
    retry: limits.retry,
    concurrency,
    onInvocation: options.onInvocation,
    reserved: createReserved({
      ignoredRoutes: options.ignoredRoutes ?? [],
      health: healthOf(options),
      metrics,
    }),
    token: env.APP_API_TOKEN || undefined,
    isStopping: () => lifecycle.isStopping,
  };
  const { handle, stop, giveUp } = createInputsHandler(inputs);
  const server = createHttpServer({}, handle);
  const served: ServedFunction[] = [{ name, signature: "openfunction", path: "/" }];
  const http = { server, sidecar, functions: served, onStop: stop, onLate: giveUp };
  if (appProtocol(env) === "http") return http;
  const { serveGrpcInputs } = load("./inputs-grpc.js") as typeof InputsGrpc; // 10 ms
  const grpc = serveGrpcInputs(server, inputs);
  log.info("APP_PROTOCOL is grpc: the sidecar is served over gRPC. HTTP/1.1 is answered on the same port.");
  const onStop = () => {
    stop();
    grpc.stop();
  };
  return { ...http, onStop, onCut: grpc.cut };
}

/** How the sidecar calls the function. On the platform the variable stands in pods of every runtime; sync ones ignore it. */
function appProtocol({ APP_PROTOCOL: value }: NodeJS.ProcessEnv): "http" | "grpc" {
  const protocol = value?.toLowerCase() || "http";
  if (protocol === "http" || protocol === "grpc") return protocol;
  throw frameworkError("FF_OPTION_INVALID", {
    flag: "APP_PROTOCOL",
    value: value ?? "",
    allowed: "http or grpc",
  });
}

/** The part of the options that a server for requests needs. */
export type SyncOptions = Pick<
  ServeOptions,
  | "functions"
  | "signature"
  | "context"
  | "hooks"
  | "plugins"
  | "tracing"
  | "ignoredRoutes"
  | "health"
  | "env"
  | "onInvocation"
> & {
  limits: RequestLimits;
  lifecycle: Pick<Lifecycle, "onStop" | "isStopping">;
  /** In place of what the context and the environment say. */
  doubles?: TargetDoubles;
};

/** What tests give a function in place of a sidecar. */
export type TargetDoubles = Partial<Pick<Target, "outputs" | "sidecar" | "dapr">>;

/** The part of the options that a server for deliveries needs. */
export type AsyncOptions = Omit<SyncOptions, "limits"> & {
  limits: Pick<ServeOptions["limits"], "bodyLimit" | "timeout" | "retry">;
};

export function syncServer({ options, concurrency, metrics }: ServerParts<SyncOptions>): NewServer {
  const { functions, limits, context, onInvocation } = options;
  const sidecar = openSidecar(options);
  const endpoints = functions.map((loaded) => {
    const signature = loaded.signature ?? options.signature;
    const { path, methods: stated } = registrationOf(loaded)?.options ?? {};
    const methods = stated?.map((method) => method.toUpperCase()) ?? signatures[signature].methods;
    const target = openTarget(options, loaded, sidecar);
    const handle = createHandler({
      target,
      signature: signatures[signature],
      limits,
      methods,
      concurrency,
      onInvocation,
    });
    return { name: loaded.name, signature, path, methods, handle };
  });
  const [only] = endpoints;
  const isAlone = only !== undefined && endpoints.length === 1 && only.path === undefined;
  const isHttp = endpoints.every(({ signature }) => signature === "http");
  const reserved = createReserved({
    ignoredRoutes: options.ignoredRoutes ?? (isHttp ? defaultIgnoredRoutes : []),
    health: healthOf(options),
    metrics,
  });
  const { createFunctionServer } = load("./server.js") as typeof import("./server"); // not for an async function
  const { server, warmUp } = createFunctionServer({
    handle: isAlone ? only.handle : createRouter(endpoints),
    reserved,
    context,
  });
  return {
    server,
    warmUp,
    sidecar,
    functions: endpoints.map(({ name, signature, path }) => ({
      name,
      signature,
      path: isAlone ? "/" : (path ?? `/${name}`),
    })),
  };
}

/** Undefined for an export. */
function registrationOf({ name, signature }: LoadedFunction): Registration | undefined {
  return signature && registry().get(name);
}

/** Error: FF_OPTION_INVALID for an address of the sidecar that is none. */
function openSidecar({ env, lifecycle }: Pick<SyncOptions, "env" | "lifecycle">): SidecarClient {
  const sidecar = createSidecarClient(sidecarFrom(env));
  lifecycle.onStop(() => sidecar.close());
  return sidecar;
}

function openTarget(
  { context, hooks, plugins, tracing, env, lifecycle, doubles }: Omit<SyncOptions, "limits">,
  loaded: LoadedFunction,
  sidecar: SidecarClient,
): Target {
  const { name, function: fn } = loaded;
  const { format } = registrationOf(loaded) ?? {};
  const target = createTarget({ name, function: fn, format, context, hooks, plugins, sidecar, tracing, env });
  lifecycle.onStop(() => target.dapr.stop());
  return doubles ? { ...target, ...doubles } : target;
}

function healthOf({
  health,
  env,
  lifecycle,
}: Pick<SyncOptions, "health" | "env" | "lifecycle">): HealthOptions | undefined {
  return health && { ...health, env, isStopping: () => lifecycle.isStopping };
}
