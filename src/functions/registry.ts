/** What user code registers by name. */
import { METHODS } from "node:http";

import { formatPlace, frameworkError } from "../core/errors";
import { log } from "../core/log";
import { callerPlace } from "./caller";
import { type Registration, shared } from "./shared";
import type {
  CloudEventFunctionWithCallback,
  EventFunctionWithCallback,
  FunctionOptions,
  HttpFunction,
  OpenFunction,
  SignatureType,
  TypedFormat,
  TypedFunction,
  TypedHandler,
  UserFunction,
} from "./types";

export type { Registration } from "./shared";

/** The registrations of the process, by name. */
export function registry(): Map<string, Registration> {
  return shared().registry;
}

type Arguments = [fn: unknown] | [options: FunctionOptions, fn: unknown];

/**
 * Registers an Express-style function: `functions.http("hello", (req, res) => res.send("hi"))`. Options before the
 * function say which path and methods it answers: `functions.http("user", { path: "/users/:id", methods: ["GET"] }, fn)`.
 */
export function http(name: string, fn: HttpFunction): void;
export function http(name: string, options: FunctionOptions, fn: HttpFunction): void;
export function http(name: string, ...args: Arguments): void {
  register(name, "http", args);
}

/**
 * Registers a CloudEvents function: `functions.cloudEvent("stored", (event) => save(event.data))`. One that declares
 * a second parameter is given a callback.
 */
export function cloudEvent<T = unknown>(name: string, fn: CloudEventFunctionWithCallback<T>): void;
export function cloudEvent<T = unknown>(
  name: string,
  options: FunctionOptions,
  fn: CloudEventFunctionWithCallback<T>,
): void;
export function cloudEvent(name: string, ...args: Arguments): void {
  register(name, "cloudevent", args);
}

/**
 * Registers a typed function: `functions.typed("add", ({ a, b }) => ({ sum: a + b }))`, or one with a format of its
 * own: `functions.typed("add", { handler, format })`.
 */
export function typed<I = unknown, O = unknown>(
  name: string,
  fn: TypedFunction<I, O> | TypedHandler<I, O>,
): void;
export function typed<I = unknown, O = unknown>(
  name: string,
  options: FunctionOptions,
  fn: TypedFunction<I, O> | TypedHandler<I, O>,
): void;
export function typed(name: string, ...args: Arguments): void {
  register(name, "typed", args);
}

/**
 * Registers a function for Google's legacy events: `functions.event("stored", (data, context) => save(data))`. One
 * that declares a third parameter is given a callback.
 */
export function event(name: string, fn: EventFunctionWithCallback): void;
export function event(name: string, options: FunctionOptions, fn: EventFunctionWithCallback): void;
export function event(name: string, ...args: Arguments): void {
  register(name, "event", args);
}

/** Registers a `(ctx, data)` function: `functions.openfunction("relay", (ctx, data) => ctx.send(data))`. */
export function openfunction(name: string, fn: OpenFunction): void;
export function openfunction(name: string, options: FunctionOptions, fn: OpenFunction): void;
export function openfunction(name: string, ...args: Arguments): void {
  register(name, "openfunction", args);
}

// 1 to 63 characters, the rule of the functions framework contract.
const namePattern = /^[A-Za-z](?:[\w-]{0,61}[A-Za-z0-9])?$/;

function register(name: string, signature: SignatureType, args: Arguments): void {
  const [options, given] = args.length === 2 ? args : [{}, args[0]];
  if (typeof name !== "string" || !namePattern.test(name)) {
    throw frameworkError("FF_FUNCTION_NAME_INVALID", { name: String(name) }, { place: callerPlace() });
  }
  const { handler: fn, format } =
    signature === "typed" && isTypedHandler(given) ? given : { handler: given, format: undefined };
  if (typeof fn !== "function") {
    const type = fn === null ? "null" : typeof fn;
    throw frameworkError("FF_FUNCTION_NOT_CALLABLE", { name, type }, { place: callerPlace() });
  }
  checkOptions(name, signature, options);
  checkFormat(name, format);
  const caller = callerPlace();
  const place = caller ? formatPlace(caller) : "an unknown place";
  const known = registry().get(name);
  if (known && known.function !== fn) {
    log.warn(
      `The function "${name}" is registered twice; the second at ${place} replaces the first at ${known.place}.`,
    );
  }
  registry().set(name, { name, signature, function: fn as UserFunction, options, format, place });
}

function isTypedHandler(value: unknown): value is TypedHandler {
  return typeof value === "object" && value !== null && "handler" in value;
}

function checkOptions(name: string, signature: SignatureType, options: FunctionOptions): void {
  const invalid = (why: string) => optionsError(name, why);
  if (typeof options !== "object" || options === null) throw invalid("its options are no object");
  const { path, methods, ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw invalid(`there is no option "${unknown}", only "path" and "methods"`);
  if (path !== undefined && (typeof path !== "string" || !path.startsWith("/")))
    throw invalid(`its path must begin with "/", such as "/users/:id"`);
  if (methods === undefined) return;
  if (signature !== "http")
    throw invalid(`a ${signature} function is called by POST alone, so it takes no methods`);
  if (!Array.isArray(methods) || methods.length === 0)
    throw invalid(`its methods must be a list, such as ["GET"]`);
  const bad = methods.find((method) => !METHODS.includes(String(method).toUpperCase()));
  if (bad !== undefined) throw invalid(`"${bad}" is no HTTP method`);
}

function checkFormat(name: string, format: TypedFormat | undefined): void {
  if (format === undefined) return;
  const { deserializeRequest, serializeResponse } = Object(format) as Partial<TypedFormat>;
  if (typeof deserializeRequest !== "function" || typeof serializeResponse !== "function")
    throw optionsError(name, "its format needs the functions deserializeRequest and serializeResponse");
}

function optionsError(name: string, why: string): Error {
  return frameworkError("FF_FUNCTION_OPTIONS", { name, why }, { place: callerPlace() });
}
