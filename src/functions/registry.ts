/**
 * What user code registers by name. It lives on `globalThis`, so that every copy of the package that user code
 * loads registers with the framework that is running.
 */
import { frameworkError } from "../core/errors";
import { log } from "../core/log";
import type {
  CloudEventFunctionWithCallback,
  HttpFunction,
  OpenFunction,
  SignatureType,
  UserFunction,
} from "./types";

export interface Registration {
  name: string;
  signature: SignatureType;
  function: UserFunction;
  /** Where it was registered, `file:line:column`. */
  place: string;
}

const key = Symbol.for("openfunction.functions-framework/v1");

/** The registrations of the process, by name. */
export function registry(): Map<string, Registration> {
  const shared = globalThis as { [key]?: { registry: Map<string, Registration> } };
  shared[key] ??= { registry: new Map() };
  return shared[key].registry;
}

/** Registers an Express-style function: `functions.http("hello", (req, res) => res.send("hi"))`. */
export function http(name: string, fn: HttpFunction): void {
  register(name, "http", fn as UserFunction);
}

/**
 * Registers a CloudEvents function: `functions.cloudEvent("stored", (event) => save(event.data))`. One that declares
 * a second parameter is given a callback.
 */
export function cloudEvent<T = unknown>(name: string, fn: CloudEventFunctionWithCallback<T>): void {
  register(name, "cloudevent", fn as UserFunction);
}

/** Registers a `(ctx, data)` function: `functions.openfunction("relay", (ctx, data) => ctx.send(data))`. */
export function openfunction(name: string, fn: OpenFunction): void {
  register(name, "openfunction", fn as UserFunction);
}

// 1 to 63 characters, the rule of the functions framework contract.
const namePattern = /^[A-Za-z](?:[\w-]{0,61}[A-Za-z0-9])?$/;

function register(name: string, signature: SignatureType, fn: UserFunction): void {
  if (typeof name !== "string" || !namePattern.test(name)) {
    throw frameworkError("FF_FUNCTION_NAME_INVALID", { name: String(name) });
  }
  if (typeof fn !== "function") {
    throw frameworkError("FF_FUNCTION_NOT_CALLABLE", { name, type: fn === null ? "null" : typeof fn });
  }
  const place = callerPlace();
  const known = registry().get(name);
  if (known && known.function !== fn) {
    log.warn(
      `The function "${name}" is registered twice; the second at ${place} replaces the first at ${known.place}.`,
    );
  }
  registry().set(name, { name, signature, function: fn, place });
}

// The first frame that is not in this file belongs to the user.
function callerPlace(): string {
  const frames = (new Error().stack ?? "").split("\n").slice(1);
  const frame = frames.find((line) => !line.includes(__filename));
  return (
    /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(frame ?? "")?.[1]?.replace(/^file:\/\//, "") ??
    "an unknown place"
  );
}
