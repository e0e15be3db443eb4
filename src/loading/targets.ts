/** Which functions of a module are meant: by name, all of them, or the only one there is. */
import { frameworkError } from "../core/errors";
import { registry } from "../functions/registry";
import { lifecycleNames } from "../functions/start-stop";
import type { SignatureType, UserFunction } from "../functions/types";
import type { LoadedFunction, LoadedModule } from "./loaded";

const defaultTarget = "function";
const all = "*";

/** Errors: FF_TARGET_NOT_FOUND, FF_TARGET_NOT_FUNCTION, FF_TARGET_AMBIGUOUS. */
export function chooseFunctions(
  exported: unknown,
  file: string,
  target: string | undefined,
): Pick<LoadedModule, "functions" | "chosen"> {
  const known = knownFunctions(exported);
  const take = (name: string) => takeFunction(exported, file, name, known);
  if (target !== undefined) {
    const names = namesOf(target, known);
    if (names.length === 0) throw frameworkError("FF_TARGET_NOT_FOUND", { target, file, known });
    return { functions: names.map(take), chosen: false };
  }
  if (lookUp(exported, defaultTarget).value !== undefined)
    return { functions: [take(defaultTarget)], chosen: false };
  const [only] = known;
  if (only === undefined || known.length > 1) throw frameworkError("FF_TARGET_AMBIGUOUS", { file, known });
  return { functions: [take(only)], chosen: true };
}

// A name twice is one function.
function namesOf(target: string, known: string[]): string[] {
  const names = target.split(",").map((name) => name.trim());
  return [...new Set(names.filter(Boolean).flatMap((name) => (name === all ? known : [name])))];
}

function takeFunction(exported: unknown, file: string, name: string, known: string[]): LoadedFunction {
  const { value, signature } = lookUp(exported, name);
  if (value === undefined) throw frameworkError("FF_TARGET_NOT_FOUND", { target: name, file, known });
  const type = value === null ? "null" : isClass(value) ? "class" : typeof value;
  if (type !== "function") throw frameworkError("FF_TARGET_NOT_FUNCTION", { target: name, type });
  return { name, function: value as UserFunction, signature, file };
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

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Names that can be served: registered ones, then exported functions; a module that is a function itself is "default". */
function knownFunctions(exported: unknown): string[] {
  const names = new Set(registry().keys());
  if (typeof exported === "function" && !isClass(exported)) names.add("default");
  const seen = new Set<unknown>([...registry().values()].map((entry) => entry.function));
  if (typeof exported === "function") seen.add(exported);
  for (const [name, value] of Object.entries(exported ?? {})) {
    // `module.exports` of a CommonJS module imported as ES module repeats its members: one function, one name.
    if (typeof value !== "function" || isClass(value) || seen.has(value) || lifecycleNames.includes(name))
      continue;
    seen.add(value);
    names.add(name);
  }
  return [...names];
}
