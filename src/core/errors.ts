/**
 * Every error a user or a client can meet has a code in `catalogue`: a sentence, what to try next, and the HTTP
 * status it answers where it can reach a client. docs/errors.md lists them all; a test proves the two lists equal.
 */
import { isNativeError } from "node:util/types";

import { catalogue, type ErrorCode, type ErrorDetails } from "./error-catalogue";

export type { ErrorCode } from "./error-catalogue";

/** A place in a file of the user's: line and column start at 1. */
export interface Place {
  file: string;
  line?: number;
  column?: number;
}

export interface FrameworkErrorOptions {
  /** What went wrong below; its message is shown, its stack only when it is the user's own. */
  cause?: unknown;
  place?: Place | undefined;
  /** Seconds after which it is worth another try. */
  retryAfter?: number | undefined;
}

const brand = Symbol.for("openfunction.functions-framework/error");

/** The one error class of the framework. Recognise it with {@link isFrameworkError}, never with `instanceof`. */
export class FrameworkError extends Error {
  readonly code: ErrorCode;
  /** What to try next, one sentence. */
  readonly hint: string | undefined;
  /** HTTP status when it is answered to a client; undefined where it never is. */
  readonly status: number | undefined;
  readonly place: Place | undefined;
  /** Seconds after which it is worth another try; undefined where nobody can say. */
  readonly retryAfter: number | undefined;
  readonly [brand] = true;

  constructor(message: string, code: ErrorCode, options: FrameworkErrorOptions, hint?: string) {
    const { cause, place, retryAfter } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.name = "FrameworkError";
    this.code = code;
    this.hint = hint;
    this.status = (catalogue[code] as { status?: number }).status;
    this.place = place;
    this.retryAfter = retryAfter;
  }
}

/** Builds the error of a code from its details: `throw frameworkError("FF_PORT_IN_USE", { port })`. */
export function frameworkError<C extends ErrorCode>(
  code: C,
  details: ErrorDetails<C>,
  options: FrameworkErrorOptions = {},
): FrameworkError {
  const entry = catalogue[code] as unknown as {
    message(details: ErrorDetails<C>): string;
    hint?(details: ErrorDetails<C>): string | undefined;
  };
  return new FrameworkError(entry.message(details), code, options, entry.hint?.(details));
}

/** True for errors of this framework, whichever copy of the package made them. */
export function isFrameworkError(value: unknown): value is FrameworkError {
  try {
    return typeof value === "object" && value !== null && brand in value;
  } catch {
    return false; // a revoked proxy
  }
}

/** The error itself when it is one of ours; anything else that comes this far is our own mistake: FF_INTERNAL_ERROR. */
export function asFrameworkError(thrown: unknown): FrameworkError {
  return isFrameworkError(thrown)
    ? thrown
    : frameworkError("FF_INTERNAL_ERROR", { why: messageOf(thrown) }, { cause: thrown });
}

/** True for errors: those of another realm too, and those that Node copies from a thread, which are not native. */
export function isError(thrown: unknown): thrown is Error {
  try {
    return isNativeError(thrown) || thrown instanceof Error;
  } catch {
    return false; // a revoked proxy
  }
}

/** The text of anything that can be thrown: null, an object without prototype, a proxy that throws itself. */
export function messageOf(thrown: unknown): string {
  try {
    if (typeof thrown === "object" && thrown !== null && "message" in thrown) return String(thrown.message);
    return String(thrown);
  } catch {
    return `a thrown value of type ${typeof thrown} that has no text`;
  }
}

/** `file:line:column` as editors understand it. */
export function formatPlace({ file, line, column }: Place): string {
  return [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(":");
}
