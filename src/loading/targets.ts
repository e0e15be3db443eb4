/** Which functions of a module are meant: by name, all of them, or the only one there is. */
import { frameworkError } from "../core/errors";
import { registry } from "../functions/registry";
import { lifecycleNames } from "../functions/start-stop";
import type { SignatureType, UserFunction } from "../functions/types";
import { loadError } from "./load-error";
import type { LoadedFunction, LoadedModule } from "./loaded";

const defaultTarget = "function";
const all = "*";

/** Errors: FF_TARGET_NOT_FOUND, FF_TARGET_NOT_FUNCTION, FF_TARGET_AMBIGUOUS. */
export function chooseFunctions(
  exported: unknown,
  file: string,
  target: string | undefined,
): Pick<LoadedModule, "functions" | "chosen"> {
  // Asked for only where it matters: exports may be getters that load what they give.
  const known = () => knownFunctions(exported);
  const take = (name: string) => takeFunction(exported, file, name, known);
  if (target !== undefined) {
    const names = namesOf(target, known);
    if (names.length === 0) throw frameworkError("FF_TARGET_NOT_FOUND", { target, file, known: known() });
    return { functions: names.map(take), chosen: false };
  }
  if (lookUp(exported, file, defaultTarget).value !== undefined)
    return { functions: [take(defaultTarget)], chosen: false };
  const [only, ...more] = known();
  if (only === undefined || more.length > 0)
    throw frameworkError("FF_TARGET_AMBIGUOUS", { file, known: known() });
  return { functions: [take(only)], chosen: true };
}

// A name twice is one function.
function namesOf(target: string, known: () => string[]): string[] {
  const names = target.split(",").map((name) => name.trim());
  return [...new Set(names.filter(Boolean).flatMap((name) => (name === all ? known() : [name])))];
}

function takeFunction(exported: unknown, file: string, name: string, known: () => string[]): LoadedFunction {
  const { value, signature } = lookUp(exported, file, name);
  if (value === undefined)
    throw frameworkError("FF_TARGET_NOT_FOUND", { target: name, file, known: known() });
  const type = value === null ? "null" : isClass(value) ? "class" : typeof value;
  if (type !== "function") throw frameworkError("FF_TARGET_NOT_FUNCTION", { target: name, type });
  return { name, function: value as UserFunction, signature, file };
}

interface Found {
  value: unknown;
  signature: SignatureType | undefined;
}

// A registered name beats an export of the same name. A getter that throws is a module that cannot be loaded.
function lookUp(exported: unknown, file: string, target: string): Found {
  const registered = registry().get(target);
  if (registered) return { value: registered.function, signature: registered.signature };
  if (target === "default" && typeof exported === "function")
    return { value: exported, signature: undefined };
  try {
    return { value: walk(exported, target.split(".")), signature: undefined };
  } catch (err) {
    throw loadError(file, err);
  }
}

function walk(exported: unknown, keys: string[]): unknown {
  let value = exported;
  for (const key of keys) {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) return undefined;
    value = isOffered(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value;
}

// Methods of a class count, what every object inherits does not.
function isOffered(value: object, key: string): boolean {
  return key in value && (Object.hasOwn(value, key) || !(key in Object.prototype));
}

// `class(req, res) {}` is a method of that name.
function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b(?!\s*\()/.test(Function.prototype.toString.call(value));
}

/**
 * Names that can be served: registered ones, then exported functions; a module that is a function itself is "default".
 * The members of a default export count where there is nothing else.
 */
function knownFunctions(exported: unknown): string[] {
  const names = new Set(registry().keys());
  const seen = new Set<unknown>([...registry().values()].map((entry) => entry.function));
  const add = (name: string, value: unknown) => {
    // `module.exports` of a CommonJS module imported as ES module repeats its members: one function, one name.
    if (typeof value !== "function" || isClass(value) || seen.has(value)) return;
    seen.add(value);
    names.add(name);
  };
  const members = membersOf(exported);
  add("default", exported);
  for (const [name, value] of members) add(name, value);
  if (names.size === 0) {
    for (const [name, value] of membersOf(new Map(members).get("default"))) add(`default.${name}`, value);
  }
  return [...names];
}

// Without the lifecycle, and without getters that throw.
function membersOf(owner: unknown): [name: string, value: unknown][] {
  return Object.keys(Object(owner)).flatMap((name): [string, unknown][] => {
    if (lifecycleNames.includes(name)) return [];
    try {
      return [[name, (owner as Record<string, unknown>)[name]]];
    } catch {
      return []; // nothing that can be served; whoever names it is told why
    }
  });
}
