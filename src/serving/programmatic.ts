/** `serve(fn, options)`: the server of the command, started from a user's own script. */
import { frameworkError } from "../core/errors";
import { flagsOf } from "../core/flags";
import { createLifecycle, createScope, type Lifecycle, type Scope } from "../core/lifecycle";
import { configureLog, throwProblems } from "../core/log";
import { logSettingsOf, resolveFlags } from "../core/read-flags";
import type { RetryRule } from "../core/retry-rule";
import { registry } from "../functions/registry";
import type { FunctionContext, SignatureType, UserFunction } from "../functions/types";
import type { LoadedFunction, LoadedModule } from "../loading/loaded";
import { mergeContexts, readContexts } from "../manifest/contexts";
import { builtinPlugins } from "../signatures/plugins";
import { printBanner } from "./banner";
import { launch } from "./launch";
import type { ServedFunction } from "./options";

/** The flags of the command under their names in camel case; what is not given comes from the environment, then the default. */
export interface ServeFunctionOptions {
  /** Name of a function that is passed itself. Default: its own name, else `function`. */
  name?: string;
  signatureType?: SignatureType;
  context?: FunctionContext | string;
  contextV1beta2?: object | string;
  port?: number;
  host?: string;
  bodyLimit?: number | string;
  bodyMode?: "parse" | "stream";
  /** Seconds. */
  timeout?: number;
  maxConcurrency?: number;
  queue?: number;
  /** Attempts of a delivery inside of the process; an object, or JSON as the flag has it. */
  retry?: RetryRule | string;
  ignoredRoutes?: string | readonly string[];
  health?: boolean;
  metrics?: boolean;
  /** Seconds. */
  gracePeriod?: number;
  logExecutionId?: boolean;
  logFormat?: "pretty" | "json";
  logLevel?: "debug" | "info" | "warn" | "error";
  verbose?: boolean;
}

export interface RunningServer {
  readonly functions: readonly ServedFunction[];
  readonly port: number;
  /** `http://localhost:PORT/`. */
  readonly url: string;
  /** Finishes what is in flight within the grace period; the process goes on. */
  close(): Promise<void>;
}

let processLifecycle: Lifecycle | undefined;
const scopes = new Set<Scope>();

/**
 * Serves a function, or registered ones by name (`"*"`: all). A signal drains and ends the process, as for the command.
 * Errors: FF_OPTION_INVALID, FF_OPTION_UNKNOWN, FF_WORKERS_PROGRAMMATIC, FF_TARGET_NOT_FOUND, FF_CONTEXT_*, FF_START_FAILED, FF_PORT_IN_USE, FF_FUNCTION_*.
 */
export async function serve(
  target: UserFunction | string | readonly string[],
  { name, context: stated, ...options }: ServeFunctionOptions = {},
): Promise<RunningServer> {
  assertKnown(options);
  const flags = resolveFlags("serve", givenFlags(options), process.env);
  configureLog(logSettingsOf("serve", flags.values));
  throwProblems(flags.problems);
  const contexts = readContexts({
    context: stated === undefined ? flags.values.context : jsonOf(stated),
    v1beta2: flags.values["context-v1beta2"],
  });
  const context = mergeContexts(contexts, builtinPlugins);
  const loaded = { exported: undefined, functions: functionsOf(target, name) };
  const scope = openScope();
  try {
    const { take: _, ...running } = await launch({
      loaded,
      flags,
      context,
      plugins: {},
      lifecycle: scope,
      env: process.env,
    });
    printBanner(running);
    return { ...running, url: `http://localhost:${running.port}/`, close: scope.close };
  } catch (err) {
    await scope.close();
    throw err;
  }
}

function openScope(): Scope {
  if (processLifecycle === undefined) {
    processLifecycle = createLifecycle();
    // All at once: none accepts requests while another one finishes its own.
    processLifecycle.onStop(() => Promise.all([...scopes].map((scope) => scope.close())));
  }
  const scope = createScope(processLifecycle);
  scopes.add(scope);
  scope.onStop(() => scopes.delete(scope));
  return scope;
}

// A misspelt option would be ignored without a word: JavaScript checks no types.
function assertKnown(options: object): void {
  if ("workers" in options) throw frameworkError("FF_WORKERS_PROGRAMMATIC", {});
  const known = flagsOf("serve")
    .map(([name]) => inCamelCase(name))
    .filter((name) => name !== "target" && name !== "source" && name !== "workers");
  const option = Object.keys(options).find((name) => !known.includes(name));
  if (option !== undefined)
    throw frameworkError("FF_OPTION_UNKNOWN", { flag: option, command: "serve", known });
}

function inCamelCase(name: string): string {
  return name.replace(/-[a-z]/g, (part) => part.slice(1).toUpperCase());
}

function givenFlags(options: object): Map<string, unknown> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return new Map(
    given.map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      Array.isArray(value) ? value.join("|") : jsonOf(value),
    ]),
  );
}

// Where the flag takes JSON an object does as well.
function jsonOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function functionsOf(
  target: UserFunction | string | readonly string[],
  name: string | undefined,
): LoadedModule["functions"] {
  if (typeof target === "function")
    return [
      { name: name ?? (target.name || "function"), function: target, signature: undefined, file: "serve()" },
    ];
  const known = [...registry().keys()];
  const names = target === "*" ? known : [target].flat();
  if (names.length === 0) throw notFound(String(target), known);
  return names.map((one): LoadedFunction => {
    const registered = registry().get(one);
    if (!registered) throw notFound(String(one), known);
    return { ...registered, file: registered.place };
  });
}

function notFound(target: string, known: string[]): Error {
  return frameworkError("FF_TARGET_NOT_FOUND", { target, file: "the loaded modules", known });
}
