/** From a TypeScript file to JavaScript for this Node: esbuild, with a cache so that an unchanged file needs none of it. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Message, TransformOptions } from "esbuild";

import { lazyRequire } from "../core/lazy";
import { packageTypeOf } from "./locate";
import { keyOf, openCache, type TransformCache } from "./typescript-cache";
import { configOf } from "./typescript-config";

export type ModuleFormat = "commonjs" | "module";

export interface Transformed {
  format: ModuleFormat;
  code: string;
}

export interface TransformWishes {
  /**
   * What a file without a `type` in its package becomes: CommonJS unless it cannot be (a top-level await), or an ES
   * module unless it cannot be (`require`). Default: CommonJS.
   */
  typeless?: ModuleFormat;
}

let cache: TransformCache | undefined;

/** Errors: FF_LOAD_TSCONFIG, and a SyntaxError whose stack begins with its place. */
export function transform(file: string, { typeless = "commonjs" }: TransformWishes = {}): Transformed {
  const source = readFileSync(file, "utf8");
  const { paths: _, ...compilerOptions } = configOf(file).compilerOptions;
  const format =
    formatOf(file) ?? (typeless === "commonjs" || isWrittenForCommonJs(source) ? "either" : "module");
  const tsconfigRaw = JSON.stringify({ compilerOptions });
  cache ??= openCache();
  const key = keyOf(file, source, format, tsconfigRaw, process.version, esbuildVersion());
  const kept = cache.get(file, key) as Transformed | undefined;
  if (kept) return kept;
  const made = make(file, source, format, tsconfigRaw);
  cache.set(file, key, made);
  return made;
}

/** By ending, then by the `type` of the package; undefined where neither says. */
function formatOf(file: string): ModuleFormat | undefined {
  if (file.endsWith(".mts")) return "module";
  if (file.endsWith(".cts")) return "commonjs";
  const type = packageTypeOf(file);
  return type === "module" || type === "commonjs" ? type : undefined;
}

// Only asked where everything else is an ES module.
function isWrittenForCommonJs(source: string): boolean {
  return (
    /^\s*(export\s*=|import\s+[\w$]+\s*=\s*require\b)/m.test(source) || !/^\s*(import|export)\b/m.test(source)
  );
}

function make(
  file: string,
  source: string,
  format: ModuleFormat | "either",
  tsconfigRaw: string,
): Transformed {
  if (format !== "either") return { format, code: run(file, source, format, tsconfigRaw) };
  try {
    return { format: "commonjs", code: run(file, source, "commonjs", tsconfigRaw) };
  } catch (err) {
    if (!(err as Error).message.startsWith("Top-level await")) throw err;
    return { format: "module", code: run(file, source, "module", tsconfigRaw) };
  }
}

function run(file: string, source: string, format: ModuleFormat, tsconfigRaw: string): string {
  const { transformSync } = esbuild();
  try {
    return transformSync(source, { ...optionsFor(file, source, format), tsconfigRaw }).code;
  } catch (err) {
    const [first] = (err as { errors?: Message[] }).errors ?? [];
    throw first ? syntaxError(file, first) : err;
  }
}

function optionsFor(file: string, source: string, format: ModuleFormat): TransformOptions {
  const options: TransformOptions = {
    loader: file.endsWith("x") ? "tsx" : "ts",
    platform: "node",
    target: `node${process.versions.node}`,
    sourcefile: file,
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "silent",
  };
  if (format === "commonjs") return { ...options, format: "cjs", define: importMetaOf(file) };
  // `import a = require("a")` is written with a require that an ES module has not.
  const needsRequire = /^\s*(?:export\s+)?import\s+[\w$]+\s*=\s*require\b/m.test(source);
  const banner =
    'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);';
  return { ...options, format: "esm", ...(needsRequire && { banner }) };
}

function importMetaOf(file: string): Record<string, string> {
  return {
    "import.meta.url": JSON.stringify(pathToFileURL(file).href),
    "import.meta.filename": JSON.stringify(file),
    "import.meta.dirname": JSON.stringify(dirname(file)),
  };
}

// As Node writes it for JavaScript: the place, the line, a mark below.
function syntaxError(file: string, { text, location }: Message): Error {
  const err = new SyntaxError(text);
  if (!location) return err;
  const { line, column, lineText } = location;
  err.stack = `${file}:${line}:${column + 1}\n${lineText}\n${" ".repeat(column)}^\n\nSyntaxError: ${text}`;
  return err;
}

const idle = 1_000; // ms
let stopping: NodeJS.Timeout | undefined;

// 20 ms, and a process of its own that holds 20 MB: it goes when nothing was transformed for a while.
function esbuild(): typeof import("esbuild") {
  const loaded = lazyRequire("esbuild") as typeof import("esbuild");
  clearTimeout(stopping);
  stopping = setTimeout(() => void loaded.stop(), idle).unref();
  return loaded;
}

/** Has the transformer waiting, until the first file has been transformed. */
export function warmUpTransformer(): void {
  const loaded = lazyRequire("esbuild") as typeof import("esbuild");
  loaded.transformSync("let a: 1", { loader: "ts" });
}

let version: string | undefined;

function esbuildVersion(): string {
  version ??= (lazyRequire("esbuild/package.json") as { version: string }).version;
  return version;
}
