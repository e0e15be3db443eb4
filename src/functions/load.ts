/** Loads the user's module and picks the function to serve. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { isNativeError } from "node:util/types";

import { frameworkError, isFrameworkError, messageOf } from "../core/errors";
import type { LoadedFunction, LoadedModule } from "./loaded";
import { isEsModule, locateModule } from "./locate";
import { registry } from "./registry";
import type { SignatureType, UserFunction } from "./types";

export interface LoadOptions {
  /** File or folder of the module. Default: the working folder. */
  source?: string | undefined;
  /** Name of a registered function, or of an export; dots walk into nested objects. Default: see {@link pickFunction}. */
  target?: string | undefined;
}

/** Errors: FF_LOAD_*, FF_TARGET_*, and what the module throws while it loads (as the cause of FF_LOAD_FAILED). */
export async function loadModule({
  source = process.cwd(),
  target,
}: LoadOptions = {}): Promise<LoadedModule> {
  const file = locateModule(source);
  const exported = await importModule(file);
  const { chosen, ...loaded } = pickFunction(exported, file, target);
  return { file, functions: [loaded], exported, chosen };
}

/** Loads one file as Node would, and waits for its top-level await. */
export async function importModule(file: string): Promise<unknown> {
  try {
    // require() first where it is right: it is faster, and keeps `require.main`-style modules as they are.
    if (isEsModule(file)) return await importFile(file);
    return createRequire(file)(file);
  } catch (err) {
    const isAsync = isNativeError(err) && (err as NodeJS.ErrnoException).code === "ERR_REQUIRE_ASYNC_MODULE";
    if (!isAsync && (!isCompileError(err) || isEsModule(file))) throw loadError(file, err);
    return importAfterAll(file, err);
  }
}

// ES syntax in a .js file without "type": import() detects it where require() does not (Node 20).
async function importAfterAll(file: string, first: unknown): Promise<unknown> {
  try {
    return await importFile(file);
  } catch (err) {
    throw loadError(file, isCompileError(err) ? first : err);
  }
}

// A top-level await that nothing can ever resolve lets Node end in silence, with exit code 0.
async function importFile(file: string): Promise<unknown> {
  let onEmpty: (() => void) | undefined;
  const unsettled = new Promise<never>((_, reject) => {
    onEmpty = () => reject(frameworkError("FF_LOAD_UNSETTLED", { file }, { place: { file } }));
    process.once("beforeExit", onEmpty);
  });
  try {
    return await Promise.race([import(pathToFileURL(file).href), unsettled]);
  } finally {
    if (onEmpty) process.off("beforeExit", onEmpty);
  }
}

// An error of the compiler begins with its place; what JSON.parse throws while the module runs does not.
function isCompileError(thrown: unknown): boolean {
  return (
    isNativeError(thrown) &&
    thrown.name === "SyntaxError" &&
    !/\n\s+at [^\n]*\b(JSON\.parse|RegExp)\b/.test(thrown.stack ?? "")
  );
}

function loadError(file: string, thrown: unknown): Error {
  if (isFrameworkError(thrown)) return thrown;
  const missing = missingDependency(thrown);
  if (missing) return frameworkError("FF_LOAD_DEPENDENCY", { file, name: missing }, { cause: thrown });
  return frameworkError(
    "FF_LOAD_FAILED",
    { file, why: messageOf(thrown) },
    { cause: thrown, place: { file } },
  );
}

function missingDependency(thrown: unknown): string | undefined {
  if (!isNativeError(thrown)) return undefined;
  const { code } = thrown as NodeJS.ErrnoException;
  if (code !== "MODULE_NOT_FOUND" && code !== "ERR_MODULE_NOT_FOUND") return undefined;
  return /Cannot find (?:module|package) '([^']+)'/.exec(thrown.message)?.[1] ?? "a module";
}

const defaultTarget = "function";

function pickFunction(
  exported: unknown,
  file: string,
  target: string | undefined,
): LoadedFunction & { chosen: boolean } {
  const found = lookUp(exported, target ?? defaultTarget);
  if (found.value !== undefined) return { ...check(found, target ?? defaultTarget), file, chosen: false };
  const known = knownFunctions(exported);
  if (target !== undefined) throw frameworkError("FF_TARGET_NOT_FOUND", { target, file, known });
  const [only] = known;
  if (only === undefined || known.length > 1) throw frameworkError("FF_TARGET_AMBIGUOUS", { file, known });
  return { ...check(lookUp(exported, only), only), file, chosen: true };
}

interface Found {
  value: unknown;
  signature: SignatureType | undefined;
}

// A registered name beats an export of the same name.
function lookUp(exported: unknown, target: string): Found {
  const registered = registry().get(target);
  if (registered) return { value: registered.function, signature: registered.signature };
  if (target === "default" && typeof exported === "function")
    return { value: exported, signature: undefined };
  let value = exported;
  for (const key of target.split(".")) {
    if (value === null || (typeof value !== "object" && typeof value !== "function"))
      return { value: undefined, signature: undefined };
    value = isOffered(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  }
  return { value, signature: undefined };
}

// Methods of a class count, what every object inherits does not.
function isOffered(value: object, key: string): boolean {
  return key in value && (Object.hasOwn(value, key) || !(key in Object.prototype));
}

function check(
  { value, signature }: Found,
  target: string,
): Pick<LoadedFunction, "name" | "function" | "signature"> {
  const type = value === null ? "null" : isClass(value) ? "class" : typeof value;
  if (type !== "function") throw frameworkError("FF_TARGET_NOT_FUNCTION", { target, type });
  return { name: target, function: value as UserFunction, signature };
}

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Names that can be served: registered ones, then exported functions; a module that is a function itself is "default". */
function knownFunctions(exported: unknown): string[] {
  const names = new Set(registry().keys());
  if (typeof exported === "function") names.add("default");
  const seen = new Set<unknown>([...registry().values()].map((entry) => entry.function));
  for (const [name, value] of Object.entries(exported ?? {})) {
    // `module.exports` of a CommonJS module imported as ES module repeats its members: one function, one name.
    if (typeof value !== "function" || isClass(value) || seen.has(value)) continue;
    seen.add(value);
    names.add(name);
  }
  return [...names];
}
