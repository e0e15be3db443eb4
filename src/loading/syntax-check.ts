/**
 * The main of a short-lived process: parses an ES module and the modules it imports, runs none of them, and leaves the
 * first syntax error to Node, which prints its place.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { SourceTextModule } from "node:vm";

import { isEsModule, isTypeScript } from "./locate";
import { resolveTypeScript } from "./typescript-resolve";
import { transform } from "./typescript-transform";

const atMost = 1_000; // files

function main(entry: string): void {
  const files = new Set([entry]);
  for (const file of files) {
    if (files.size > atMost) return;
    for (const specifier of importsOf(file)) {
      const imported = find(specifier, file);
      if (imported !== undefined && isEsModule(imported)) files.add(imported);
    }
  }
}

function importsOf(file: string): string[] {
  const text = isTypeScript(file) ? transform(file).code : readFileSync(file, "utf8");
  const module = new SourceTextModule(text, {
    identifier: file,
  }) as SourceTextModule & {
    moduleRequests?: { specifier: string }[]; // since Node 22.20 and 24.4
    dependencySpecifiers?: string[];
  };
  return module.moduleRequests?.map(({ specifier }) => specifier) ?? module.dependencySpecifiers ?? [];
}

function find(specifier: string, parent: string): string | undefined {
  try {
    const source = resolveTypeScript(specifier, parent);
    if (source !== undefined) return source;
    const name = /^\.{1,2}\//.test(specifier) ? resolve(dirname(parent), specifier) : specifier;
    const file = createRequire(parent).resolve(name);
    return file === specifier ? undefined : file; // a part of Node
  } catch {
    return undefined; // a missing module is another error
  }
}

main(process.argv[2] ?? "");
