/** A function that is served as the command serves it, for tests: in this process, on any port of loopback. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { Invocation } from "../core/invocation";
import type { RetryRule } from "../core/retry-rule";
import { registeredHooks } from "../functions/hooks";
import { registry } from "../functions/registry";
import type { FunctionContext, Hook, OpenFunction, Plugins } from "../functions/types";
import type { LoadedFunction } from "../loading/loaded";
import { guardTests } from "../serving/guard";
import { asyncServer, type NewServer, type ServerParts, syncServer } from "../serving/servers";
import { registrationOf } from "../serving/testing";

/** The settings of the command that make a difference to a delivery. */
export interface ServedOptions {
  /** Seconds until an attempt counts as failed. Default: none. */
  timeout?: number;
  /** `--retry`. Default: one attempt, whose failure is answered at once. */
  retry?: RetryRule;
  /** Around every call, after those that are registered. */
  hooks?: readonly Hook[];
  plugins?: Plugins;
}

export interface Served {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** Finishes nothing: what is in flight is cut. */
  stop(): Promise<void>;
}

export interface ServedParts extends ServedOptions {
  context: FunctionContext;
  env: NodeJS.ProcessEnv;
  onInvocation(invocation: Invocation): void;
}

// A test waits for no failure to be held back.
const atOnce: RetryRule = { maxAttempts: 1, backoff: { initial: 0, factor: 1, max: 0 } };

/** Errors: FF_TARGET_NOT_FOUND, FF_SIGNATURE_CONFLICT. */
export async function serveForTest(target: string | OpenFunction, parts: ServedParts): Promise<Served> {
  const closers: (() => unknown)[] = [];
  let isStopping = false;
  const lifecycle = {
    onStop: (close: () => unknown) => closers.push(close),
    get isStopping() {
      return isStopping;
    },
  };
  const { context, env, onInvocation, hooks = [], plugins = {}, timeout = 0, retry = atOnce } = parts;
  const limits = { bodyLimit: 1024 ** 3, bodyMode: "parse" as const, timeout, retry };
  const own: ServerParts<Parameters<typeof syncServer>[0]["options"] & { limits: typeof limits }> = {
    options: {
      functions: [loadedOf(target, context.name)],
      signature: "openfunction",
      context,
      hooks: [...registeredHooks(), ...hooks],
      plugins,
      ignoredRoutes: undefined,
      health: undefined,
      limits,
      lifecycle,
      env,
      onInvocation,
    },
    concurrency: undefined,
    metrics: undefined,
  };
  const { server, onStop }: NewServer =
    context.runtime === "Async" ? asyncServer(own, context) : syncServer(own);
  guardTests(server);
  const url = await listen(server);
  return {
    url,
    async stop() {
      if (isStopping) return;
      isStopping = true;
      onStop?.();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      for (const close of closers.reverse()) await close();
    },
  };
}

function loadedOf(target: string | OpenFunction, name: string): LoadedFunction {
  if (typeof target === "string") {
    const registered = registrationOf(target);
    return { ...registered, file: registered.place };
  }
  // A function that is registered is served as such, also when it is handed in itself.
  const known = [...registry().values()].find((one) => one.function === target);
  if (known) return { ...known, file: known.place };
  return { name: target.name || name, function: target, signature: undefined, file: "serve()" };
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
