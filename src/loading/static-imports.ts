/**
 * What an ES module imports, by its text: for the one case of which no hook is told, an ES module that is loaded by
 * `require` on a Node that hooks imports in a thread.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { isUsers } from "./source-notes";
import { noteUnresolved } from "./unresolved";

/** All that the file leads to. What cannot be resolved is noted as missing. */
export function staticImportsOf(file: string): string[] {
  const found = new Set([file]);
  for (const one of found) {
    if (found.size > atMost) break;
    for (const specifier of specifiersIn(one)) {
      const next = resolveFrom(one, specifier);
      if (next === undefined) noteUnresolved(specifier, one);
      else if (/\.m?js$/.test(next) && isUsers(next)) found.add(next);
    }
  }
  found.delete(file);
  return [...found];
}

const atMost = 2_000; // files

function specifiersIn(file: string): string[] {
  try {
    const found = readFileSync(file, "utf8").matchAll(/\b(?:from|import)\s*["']([^"'\n]+)["']/g);
    return [...found].map(([, specifier = ""]) => specifier);
  } catch {
    return []; // it is noted as it is
  }
}

function resolveFrom(file: string, specifier: string): string | undefined {
  try {
    return createRequire(file).resolve(specifier);
  } catch {
    return undefined;
  }
}
