/** What a specifier means in a TypeScript project, where Node's own rules do not say: endings, folders, `paths`. */
import { realpathSync, statSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, extname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { isTypeScript } from "./locate";
import { isUsers } from "./source-notes";
import { configOf } from "./typescript-config";

/** The path of a `file:` URL, without its query; undefined for other URLs. */
export function fileOf(url: string): string | undefined {
  return url.startsWith("file:") ? fileURLToPath(url.replace(/[?#].*$/, "")) : undefined;
}

/** The file that `specifier` means in `parent`, or undefined where Node's own rules are to decide. */
export function resolveTypeScript(specifier: string, parent: string): string | undefined {
  if (isBuiltin(specifier) || !isUsers(parent)) return undefined;
  if (isAbsolute(specifier)) return probe(specifier, parent);
  if (/^\.{1,2}(?:\/|$)/.test(specifier)) return probe(resolve(dirname(parent), specifier), parent);
  for (const path of configOf(parent).pathsOf(specifier)) {
    const file = probe(path, parent);
    if (file !== undefined) return file;
  }
  return undefined;
}

/** A file in a package, named without its ending: `require` finds it, `import` does not. */
export function resolveInPackage(specifier: string, parent: string): string | undefined {
  if (!isTypeScript(parent) || !isUsers(parent) || /^[./#]|:/.test(specifier)) return undefined;
  try {
    return createRequire(parent).resolve(specifier);
  } catch {
    return undefined; // then Node's own error is told
  }
}

// TypeScript's order: what is written in a .ts file as ./name.js is name.ts.
function probe(path: string, parent: string): string | undefined {
  const meant = sourcesOf(path);
  const exact = isTypeScript(parent) ? [...meant, path] : [path, ...meant];
  const found = [...exact, ...endings.map((ending) => path + ending)].find(isFile) ?? probeFolder(path);
  return found === undefined ? undefined : realpathSync(found); // as Node does: a file is one module
}

const endings = [".ts", ".tsx", ".js", ".mts", ".cts", ".mjs", ".cjs"];

function probeFolder(path: string): string | undefined {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  // A package.json here is Node's business: its main, its exports.
  if (isFile(join(path, "package.json"))) return undefined;
  return endings.map((ending) => join(path, `index${ending}`)).find(isFile);
}

const written: Record<string, string[]> = {
  ".js": [".ts", ".tsx"],
  ".jsx": [".tsx"],
  ".mjs": [".mts"],
  ".cjs": [".cts"],
};

function sourcesOf(path: string): string[] {
  const ending = extname(path);
  return (written[ending] ?? []).map((other) => path.slice(0, -ending.length) + other);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
