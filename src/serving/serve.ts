/** Listens, serves one function, drains. */
import { createServer as createPlainServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";

import { frameworkError, messageOf } from "../core/errors";
import type { Lifecycle } from "../core/lifecycle";
import { log, logError } from "../core/log";
import type { LoadedFunction } from "../functions/load";
import type { FunctionContext, SignatureType } from "../functions/types";
import type { Target } from "../signatures/signature";
import { signatures } from "../signatures/table";
import { prepareDrain } from "./drain";
import { createHandler } from "./handler";
import { createInputsHandler } from "./inputs-http";
import { createTarget } from "./target";

export interface ServeOptions {
  loaded: LoadedFunction;
  /** From flag or environment; a registration in code wins. */
  signature: SignatureType;
  context: FunctionContext | undefined;
  listen: ListenAddress;
  /** Bytes. */
  bodyLimit: number;
  /** Seconds to finish what is in flight; asked when the stop begins. */
  gracePeriod: () => number;
  lifecycle: Lifecycle;
  env: NodeJS.ProcessEnv;
}

export type ListenAddress = { path: string } | { host: string | undefined; port: number };

export interface RunningFunction {
  name: string;
  /** The effective one. */
  signature: SignatureType;
  /** Where it listens. */
  port: number;
  /** `unix:PATH` or `tcp:HOST:PORT`. */
  address: string;
}

/** Errors: FF_PORT_IN_USE, FF_LISTEN_FAILED, FF_SIGNATURE_CONFLICT. Stops with the lifecycle. */
export async function serve(options: ServeOptions): Promise<RunningFunction> {
  const { loaded, context, lifecycle, env } = options;
  const target = createTarget({ name: loaded.name, function: loaded.function, context, env });
  lifecycle.onStop(() => target.outputs.close());
  lifecycle.onStop(() => target.dapr.stop());

  const { server, signature } =
    context?.runtime === "Async" ? asyncServer(options, target, context) : syncServer(options, target);
  const drain = prepareDrain(server);
  lifecycle.onStop(() => drain(options.gracePeriod()));
  lifecycle.limit(() => options.gracePeriod() + 1); // whatever a client of the sidecar still waits for
  await listen(server, options.listen);
  return { name: loaded.name, signature, ...addressOf(server) };
}

// Under the async runtime the signature option is ignored: images carry `http` as a default while the deployment
// picks the async target. Only a registration in code is a contradiction.
function asyncServer(
  { loaded, bodyLimit, lifecycle, env }: ServeOptions,
  target: Target,
  context: FunctionContext,
) {
  const { name, signature } = loaded;
  if (signature !== undefined && signature !== "openfunction")
    throw frameworkError("FF_SIGNATURE_CONFLICT", { name, signature });
  if (Object.keys(context.inputs).length === 0)
    log.warn("The function context declares no inputs: nothing will be delivered.");
  const handle = createInputsHandler({
    target: { ...target, context },
    bodyLimit,
    token: env.APP_API_TOKEN || undefined,
    isStopping: () => lifecycle.isStopping,
  });
  return { server: createPlainServer(handle).setTimeout(0), signature: "openfunction" as const };
}

const load = createRequire(__filename);

function syncServer({ loaded, signature: stated, bodyLimit, context }: ServeOptions, target: Target) {
  const signature = loaded.signature ?? stated;
  const { createServer } = load("./server.js") as typeof import("./server"); // Express: 40 ms an async function saves
  const handle = createHandler({ target, signature: signatures[signature], bodyLimit });
  return { server: createServer({ handle, context }), signature };
}

function listen(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (err: NodeJS.ErrnoException) => reject(listenError(err, address));
    server.once("error", onError);
    server.once("listening", () => {
      server.off("error", onError).on("error", logError);
      resolve();
    });
    server.listen(address);
  });
}

function listenError(err: NodeJS.ErrnoException, address: ListenAddress): Error {
  if ("port" in address && err.code === "EADDRINUSE")
    return frameworkError("FF_PORT_IN_USE", { port: address.port });
  const name = "path" in address ? address.path : `${address.host ?? "::"}:${address.port}`;
  return frameworkError("FF_LISTEN_FAILED", { address: name, why: err.code ?? messageOf(err) });
}

function addressOf(server: Server): { port: number; address: string } {
  const address = server.address() as AddressInfo | string;
  if (typeof address === "string") return { port: 0, address: `unix:${address}` };
  return { port: address.port, address: `tcp:${address.address}:${address.port}` };
}
