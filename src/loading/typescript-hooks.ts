/** How `import` reads TypeScript. */
import { pathToFileURL } from "node:url";

import type { ImportHooks } from "./import-hooks";
import { isTypeScript } from "./locate";
import { fileOf, resolveInPackage, resolveTypeScript } from "./typescript-resolve";
import { transform } from "./typescript-transform";

export interface TypeScriptHooksData {
  /** One number, shared between the threads: 1 when a file without a type becomes an ES module where it can. */
  typeless: Int32Array;
}

export function createHooks({ typeless }: TypeScriptHooksData): ImportHooks {
  return {
    resolve(specifier, parent) {
      // The query of an import makes a module of its own; it is no part of the file's name.
      const [, name = specifier, query = ""] = /^([^?#]+)([?#].*)$/.exec(specifier) ?? [];
      const from = parent === undefined ? undefined : fileOf(parent);
      const file = from === undefined ? undefined : resolveTypeScript(fileOf(name) ?? name, from);
      return file === undefined ? undefined : pathToFileURL(file).href + query;
    },
    resolveMissing(specifier, parent) {
      const from = parent === undefined ? undefined : fileOf(parent);
      const file = from === undefined ? undefined : resolveInPackage(specifier, from);
      return file === undefined ? undefined : pathToFileURL(file).href;
    },
    load(url) {
      const file = fileOf(url);
      if (file === undefined || !isTypeScript(file)) return undefined;
      const { format, code } = transform(file, { typeless: typeless[0] === 1 ? "module" : "commonjs" });
      return format === "module" ? code : bridgeTo(file, code);
    },
  };
}

// A CommonJS module, loaded by require() so that both sides share it, under the names that esbuild notes at the end.
function bridgeTo(file: string, code: string): string {
  const [, list = ""] = /^0 && \(module\.exports = \{([^}]*)\}\);?$/m.exec(code) ?? [];
  const parts = list.split(/,\s*/).map((part) => part.trim());
  const names = parts
    .map((part) => /^(?:"[^"]*"|[\w$]+)/.exec(part)?.[0])
    .filter((name) => name && name !== "default");
  const others = parts.map((part) => /^\.\.\.require\((".*")\)$/.exec(part)?.[1]).filter(Boolean);
  const value = file.endsWith(".cts")
    ? "loaded"
    : 'loaded?.__esModule && "default" in loaded ? loaded.default : loaded';
  return [
    'import { createRequire } from "node:module";',
    `const loaded = createRequire(import.meta.url)(${JSON.stringify(file)});`,
    `export default ${value};`,
    ...names.map(
      (name, index) =>
        `const export${index} = loaded[${quoted(name)}]; export { export${index} as ${name} };`,
    ),
    ...others.map((other) => `export * from ${other};`),
  ].join("\n");
}

function quoted(name = ""): string {
  return name.startsWith('"') ? name : JSON.stringify(name);
}
