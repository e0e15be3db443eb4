/** Finds the file of the user's module: Node's own rules first, as the original frameworks have them, then ours. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";

import { frameworkError, messageOf } from "../core/errors";
import { type JsonSyntaxError, readJson } from "../core/json";
import { exportTarget } from "./package-exports";
import { noteMissing } from "./source-notes";

/** The absolute path of the module at `source`, a file (ending optional) or a folder. Errors: FF_LOAD_NOT_FOUND, FF_LOAD_PACKAGE_JSON. */
export function locateModule(source: string): string {
  const location = resolve(source);
  const manifest = readPackage(location);
  const file =
    required(location) ?? required(join(location, "function")) ?? withOtherEndings(location, manifest);
  if (file !== undefined) return file;
  for (const name of ["index", String(manifest?.main ?? "function")]) noteMissing(join(location, name));
  throw frameworkError("FF_LOAD_NOT_FOUND", { source: location });
}

/**
 * A module that `--import` names: a file seen from the working folder, else a package that is installed there.
 * Error: FF_LOAD_IMPORT.
 */
export function locateImport(name: string, folder: string): string {
  const location = resolve(folder, name);
  const path = /^\.{0,2}\//.test(name) || isFile(location);
  const file = path
    ? (required(location) ?? withOtherEndings(location, readPackage(location)))
    : (installed(name, folder) ?? required(location));
  if (file === undefined) throw frameworkError("FF_LOAD_IMPORT", { name, folder });
  return file;
}

/** True when Node reads the file as an ES module because its name or its package says so. */
export function isEsModule(file: string): boolean {
  const ending = extname(file);
  if (ending === ".mjs" || ending === ".mts") return true;
  if (ending === ".cjs" || ending === ".cts") return false;
  return packageTypeOf(file) === "module";
}

/** True for the endings that the transformer reads. */
export function isTypeScript(file: string): boolean {
  return /\.(?:[cm]?ts|tsx)$/.test(file);
}

/** The `type` of the package that a file belongs to. Error: FF_LOAD_PACKAGE_JSON. */
export function packageTypeOf(file: string): unknown {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = readPackage(folder);
    if (manifest) return manifest.type;
    if (folder === dirname(folder)) return undefined;
  }
}

function required(location: string): string | undefined {
  try {
    const file = createRequire(join(location, "_")).resolve(location);
    return /\.(json|node)$/.test(file) ? undefined : file;
  } catch {
    return undefined; // not there under this name: the next candidate is tried
  }
}

const otherEndings = [".mjs", ".cjs", ".ts", ".mts", ".cts"];

// What is named comes before what is looked for: the source without its ending, main without its ending, exports.
function withOtherEndings(location: string, manifest: Manifest | undefined): string | undefined {
  const { main, exports } = manifest ?? {};
  const target = exportTarget(exports, ".");
  const candidates = [
    ...endingsOf(location),
    ...(typeof main === "string" ? endingsOf(join(location, main)) : []),
    ...(target === undefined ? [] : [join(location, target)]),
    ...endingsOf(join(location, "index")),
    ...endingsOf(join(location, "function")),
  ];
  const found = candidates.find(isFile);
  return found === undefined ? undefined : realpathSync(found); // as `require` does
}

function endingsOf(path: string): string[] {
  return otherEndings.map((ending) => path + ending);
}

// A package for ES modules only is not found by require().
function installed(name: string, folder: string): string | undefined {
  const require = createRequire(join(folder, "_"));
  try {
    const file = require.resolve(name);
    return file === name ? undefined : file; // a part of Node
  } catch {
    const [, packageName = name, rest = ""] = /^(@[^/]+\/[^/]+|[^/]+)(.*)$/.exec(name) ?? [];
    for (const modules of require.resolve.paths(packageName) ?? []) {
      const place = join(modules, packageName);
      const target = exportTarget(readPackage(place)?.exports, `.${rest}`);
      if (target !== undefined && isFile(join(place, target))) return realpathSync(join(place, target));
    }
    return undefined;
  }
}

interface Manifest {
  type?: unknown;
  main?: unknown;
  exports?: unknown;
}

function readPackage(folder: string): Manifest | undefined {
  const file = join(folder, "package.json");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined; // no package here
  }
  try {
    return readJson(text) as Manifest;
  } catch (err) {
    const { line, column } = err as JsonSyntaxError;
    throw frameworkError(
      "FF_LOAD_PACKAGE_JSON",
      { file, why: messageOf(err) },
      { place: { file, line, column } },
    );
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
