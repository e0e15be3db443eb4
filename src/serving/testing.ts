/** Functions and servers for tests of user code: what is served is what the command serves. */
import type { Server } from "node:http";

import { frameworkError } from "../core/errors";
import type { Invocation } from "../core/invocation";
import { registeredHooks } from "../functions/hooks";
import { type Registration, registry } from "../functions/registry";
import type { FunctionContext, UserFunction } from "../functions/types";
import { guardTests } from "./guard";
import { type SyncOptions, syncServer, type TargetDoubles } from "./servers";

/** The function registered under a name, or undefined. */
export function getFunction(name: string): UserFunction | undefined {
  return registry().get(name)?.function;
}

/**
 * A server for a registered function that does not listen yet: fits supertest. Hooks, ignored routes, path and methods
 * are those of the command, with its defaults. Error: FF_TARGET_NOT_FOUND.
 */
export function getTestServer(name: string): Server {
  return createTestServer(registrationOf(name));
}

/** Error: FF_TARGET_NOT_FOUND. */
export function registrationOf(name: string): Registration {
  const registered = registry().get(name);
  if (registered) return registered;
  throw frameworkError("FF_TARGET_NOT_FOUND", {
    target: name,
    file: "the loaded modules",
    known: [...registry().keys()],
  });
}

export interface TestServerOptions {
  context?: FunctionContext | undefined;
  doubles?: TargetDoubles;
  onInvocation?: (invocation: Invocation) => void;
}

export function createTestServer(registered: Registration, options: TestServerOptions = {}): Server {
  const closers: (() => unknown)[] = [];
  const { server } = syncServer({
    options: {
      ...testSettings,
      ...options,
      functions: [{ ...registered, file: registered.place }],
      signature: registered.signature,
      hooks: registeredHooks(),
      env: process.env,
      lifecycle: { onStop: (close) => closers.push(close), isStopping: false },
    },
    concurrency: undefined,
    metrics: undefined,
  });
  server.once("close", () => {
    for (const close of closers) close();
  });
  guardTests(server);
  return server;
}

const testSettings: Pick<SyncOptions, "context" | "plugins" | "limits" | "ignoredRoutes" | "health"> = {
  context: undefined,
  plugins: {},
  limits: { bodyLimit: 1024 ** 3, bodyMode: "parse", timeout: 0 },
  ignoredRoutes: undefined,
  health: undefined,
};
