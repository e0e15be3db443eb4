/**
 * User code that imports the framework, under our name or Google's, and has it not installed gets the one that is
 * running. Where a copy is installed, that copy is taken: the registry is shared by all of them.
 */
import { readFileSync, statSync } from "node:fs";
import * as nodeModule from "node:module";
import { createRequire } from "node:module";
import { dirname, join, resolve, sep } from "node:path";

import type { FrameworkImportsData } from "./framework-imports-hooks";
import { isEsModule } from "./locate";
import { changeResolution } from "./require-hooks";

const packages = ["@openfunction/functions-framework", "@google-cloud/functions-framework"];
const entries = { "": "index.js", "/testing": "testing.js" };

const files = new Map<string, string>();
let importsHooked = false;

/** For a module that is about to be loaded: does nothing where both names are installed. */
export function provideFramework(file: string): void {
  const require = createRequire(file);
  const absent = packages.filter((name) => !isInstalled(name, require));
  if (absent.length === 0) return;
  for (const name of absent) {
    for (const [subpath, entry] of Object.entries(entries))
      files.set(name + subpath, join(__dirname, "..", entry));
  }
  changeResolution({ missing: (specifier) => files.get(specifier) });
  watchDynamicImports();
  if (isEsModule(file) && mayImportFramework(file)) hookFrameworkImports();
}

/** Before an `import` that may name the framework. Twice is fine. */
export function hookFrameworkImports(): void {
  if (importsHooked || files.size === 0) return;
  importsHooked = true;
  const { hookImports } = createRequire(__filename)("./import-hooks.js") as typeof import("./import-hooks");
  const data = { files: Object.fromEntries(files) };
  hookImports<FrameworkImportsData>(join(__dirname, "framework-imports-hooks.js"), data);
}

function isInstalled(name: string, require: NodeJS.Require): boolean {
  try {
    require.resolve(name);
    return true;
  } catch (err) {
    return (err as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND"; // broken is not absent
  }
}

// CommonJS gets the hooks of `import` when a file of the user's is compiled that has an `import()`.
function watchDynamicImports(): void {
  const prototype = nodeModule.Module.prototype as unknown as {
    _compile: (...args: [string, string]) => unknown;
  };
  const original = prototype._compile;
  prototype._compile = function compile(...args) {
    const [code, file] = args;
    const isUsers = !importsHooked && !file.includes(`${sep}node_modules${sep}`);
    if (isUsers && /\bimport\s*\(/.test(code) && mayImportFramework(file)) hookFrameworkImports();
    return original.apply(this, args);
  };
}

// Hooks in this thread cost nothing. On Node 20 they cost a thread, so the sources are looked through for the names.
function mayImportFramework(entry: string): boolean {
  if ("registerHooks" in nodeModule) return true;
  const names = [...files.keys()];
  const found = new Set([entry]);
  for (const file of found) {
    if (found.size > atMost) return true;
    const text = readFileSync(file, "utf8");
    if (names.some((name) => text.includes(name))) return true;
    for (const [, specifier = ""] of text.matchAll(
      /\b(?:from|import|require)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g,
    )) {
      const path = resolve(dirname(file), specifier);
      const next = ["", ".js", ".mjs", ".cjs", `${sep}index.js`].map((ending) => path + ending).find(isFile);
      if (next !== undefined) found.add(next);
    }
  }
  return false;
}
const atMost = 500; // files

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
