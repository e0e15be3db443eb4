/** Functions and servers for tests of user code. Nothing here listens, installs handlers or reads files. */
import type { Server } from "node:http";

import { frameworkError } from "../core/errors";
import { registry } from "../functions/registry";
import type { UserFunction } from "../functions/types";
import { signatures } from "../signatures/table";
import { createHandler } from "./handler";
import { createServer } from "./server";
import { createTarget } from "./target";

const bodyLimit = 1024 ** 3;

/** The function registered under a name, or undefined. */
export function getFunction(name: string): UserFunction | undefined {
  return registry().get(name)?.function;
}

/** A server for a registered function that does not listen yet: fits supertest. Error: FF_TARGET_NOT_FOUND. */
export function getTestServer(name: string): Server {
  const registered = registry().get(name);
  if (!registered) {
    throw frameworkError("FF_TARGET_NOT_FOUND", {
      target: name,
      file: "the loaded modules",
      known: [...registry().keys()],
    });
  }
  const target = createTarget({ name, function: registered.function, context: undefined, env: process.env });
  return createServer({
    handle: createHandler({ target, signature: signatures[registered.signature], bodyLimit }),
  });
}
