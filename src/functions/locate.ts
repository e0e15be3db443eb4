/** Finds the file of the user's module: Node's own rules first, as the original frameworks have them, then ours. */
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";

import { frameworkError, messageOf } from "../core/errors";
import { type JsonSyntaxError, readJson } from "../core/json";

/** The absolute path of the module at `source`, a file (ending optional) or a folder. Errors: FF_LOAD_NOT_FOUND, FF_LOAD_PACKAGE_JSON. */
export function locateModule(source: string): string {
  const location = resolve(source);
  readPackage(location);
  const require = createRequire(join(location, "_"));
  for (const candidate of [location, join(location, "function")]) {
    try {
      const file = require.resolve(candidate);
      if (!/\.(json|node)$/.test(file)) return file;
    } catch {
      // not there under this name: the next candidate is tried
    }
  }
  const fallback = ["index.mjs", "index.cjs"].map((name) => join(location, name)).find(isFile);
  if (fallback) return fallback;
  throw frameworkError("FF_LOAD_NOT_FOUND", { source: location });
}

/** True when Node reads the file as an ES module because its name or its package says so. */
export function isEsModule(file: string): boolean {
  if (extname(file) === ".mjs") return true;
  if (extname(file) === ".cjs") return false;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = readPackage(folder);
    if (manifest) return manifest.type === "module";
    if (folder === dirname(folder)) return false;
  }
}

function readPackage(folder: string): { type?: unknown } | undefined {
  const file = join(folder, "package.json");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined; // no package here
  }
  try {
    return readJson(text) as { type?: unknown };
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
