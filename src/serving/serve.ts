/** Listens, serves functions, drains. */
import type { Server } from "node:http";
import type { Socket } from "node:net";

import { exitCodes } from "../core/lifecycle";
import type { FunctionContext } from "../functions/types";
import { createMetrics } from "../telemetry/metrics";
import { Concurrency } from "./concurrency";
import { prepareDrain } from "./drain";
import { addressOf, listen } from "./listen";
import type { Running, ServeOptions } from "./options";
import { asyncServer, type ServerParts, syncServer } from "./servers";

/** Errors: FF_PORT_IN_USE, FF_LISTEN_FAILED, FF_SIGNATURE_CONFLICT, FF_FUNCTION_*. Stops with the lifecycle. */
export async function serve(options: ServeOptions): Promise<Running> {
  const { lifecycle, limits, gracePeriod } = options;
  const isCounted = options.metrics || limits.maxConcurrency > 0;
  const concurrency = isCounted
    ? new Concurrency({ max: limits.maxConcurrency, queue: limits.queue })
    : undefined;
  const own = options.metrics ? createMetrics({ inFlight: () => concurrency?.inFlight ?? 0 }) : undefined;
  if (own) lifecycle.onStop(own.stop);
  const metrics = own && (options.metricsOfAll?.(own) ?? own);
  const parts: ServerParts = { options, concurrency, metrics };
  const { server, functions, warmUp, sidecar, onStop, onLate } =
    options.context?.runtime === "Async" ? asyncServer(parts, options.context) : syncServer(parts);

  for (const work of options.onStop) lifecycle.onStop(work);
  const drain = prepareDrain(server);
  const onExit = (code: number) => drain.failOpen(`The process ends with code ${code}.`);
  process.on("exit", onExit); // the user's process.exit() takes no grace period
  lifecycle.onStop(async () => {
    onStop?.();
    const isCrashed = () => lifecycle.exitCode === exitCodes.crashed;
    await drain.finish(gracePeriod(), { isCrashed, onLate });
    process.off("exit", onExit);
  });
  lifecycle.limit(() => gracePeriod() + 1); // whatever a client of the sidecar still waits for
  await listen(server, options.address);
  own?.started();
  if (warmUp) lifecycle.onStop(soon(warmUp));
  if (needsSidecar(options.context)) sidecar.watch();
  return { functions, ...addressOf(server), take: (socket) => take(server, socket) };
}

// As Node's own server makes its sockets.
function take(server: Server, socket: Socket): void {
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  server.emit("connection", socket);
}

/** Not at once, because the first request may wait for its answer already. */
function soon(work: () => unknown): () => void {
  const timer = setTimeout(work, 100).unref(); // ms
  return () => clearTimeout(timer);
}

// Not before it listens: a sidecar with an app port waits for the app before it calls itself healthy.
function needsSidecar(context: FunctionContext | undefined): boolean {
  return [context?.inputs, context?.outputs, context?.states].some(
    (uses) => Object.keys(uses ?? {}).length > 0,
  );
}
