/** TypeScript for user code, on every version of Node: installed only when a TypeScript file is about to be loaded. */
import * as nodeModule from "node:module";
import { join } from "node:path";

import { log } from "../core/log";
import { hookFrameworkImports } from "./framework-imports";
import { hookImports } from "./import-hooks";
import { changeResolution } from "./require-hooks";
import { configOf } from "./typescript-config";
import type { TypeScriptHooksData } from "./typescript-hooks";
import { resolveTypeScript } from "./typescript-resolve";
import { transform } from "./typescript-transform";

type RequireHandler = (
  module: { _compile(code: string, file: string, format: string): void },
  file: string,
) => void;

const { _extensions: handlers } = nodeModule.Module as unknown as {
  _extensions: Record<string, RequireHandler>;
};

const typeless = new Int32Array(new SharedArrayBuffer(4));
let installed = false;
let importsHooked = false;

/** Makes `require` read TypeScript, and `import` as soon as a loaded file has one. Twice is fine. */
export function installTypeScript(entry: string): void {
  if (installed || hasOtherLoader()) return;
  installed = true;
  if (configOf(entry).compilerOptions.emitDecoratorMetadata === true)
    log.warn("emitDecoratorMetadata of tsconfig.json has no effect here: decorators get no types.");
  enableSourceMaps();
  for (const ending of [".ts", ".tsx", ".mts", ".cts"]) handlers[ending] = compile;
  changeResolution({ before: resolveTypeScript });
}

/** Before an `import()` of a TypeScript file. */
export function hookTypeScriptImports(): void {
  if (!installed || importsHooked) return;
  importsHooked = true;
  hookFrameworkImports();
  hookImports<TypeScriptHooksData>(join(__dirname, "typescript-hooks.js"), { typeless });
}

/** From now on a file that no package gives a type is an ES module where it can be one: something below it awaits. */
export function preferModules(): void {
  typeless[0] = 1;
}

const compile: RequireHandler = (module, file) => {
  const { format, code } = transform(file, { typeless: typeless[0] === 1 ? "module" : "commonjs" });
  // On Node 20 the hooks cost a thread: most CommonJS projects import nothing.
  if (format === "module" || /\bimport\s*\(/.test(code)) hookTypeScriptImports();
  module._compile(code, file, format);
};

// ts-node, tsx or another one that the user has preloaded stays in charge; Node's own is not in this table.
function hasOtherLoader(): boolean {
  return handlers[".ts"] !== undefined;
}

function enableSourceMaps(): void {
  const { setSourceMapsSupport } = nodeModule as {
    setSourceMapsSupport?: (enabled: boolean, options: { nodeModules: boolean }) => void;
  };
  if (setSourceMapsSupport) setSourceMapsSupport(true, { nodeModules: false });
  else process.setSourceMapsEnabled(true);
}
