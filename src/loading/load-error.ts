/** What a failed load means to the one who wrote the module. */
import type * as ChildProcess from "node:child_process";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import {
  type FrameworkError,
  frameworkError,
  isError,
  isFrameworkError,
  messageOf,
  type Place,
} from "../core/errors";
import { lazyRequire } from "../core/lazy";
import { isTypeScript } from "./locate";

/** Codes: FF_LOAD_DEPENDENCY, FF_LOAD_SYNTAX, FF_LOAD_FAILED; an error of ours stays as it is. */
export function loadError(file: string, thrown: unknown): FrameworkError {
  if (isFrameworkError(thrown)) return thrown;
  const missing = missingModule(file, thrown);
  if (missing)
    return frameworkError("FF_LOAD_DEPENDENCY", missing, { cause: thrown, place: { file: missing.file } });
  if (isCompileError(thrown)) {
    const place = placeOf(thrown) ?? placeByNode(file) ?? { file };
    return frameworkError(
      "FF_LOAD_SYNTAX",
      { file: place.file, why: thrown.message },
      { cause: thrown, place },
    );
  }
  return frameworkError(
    "FF_LOAD_FAILED",
    { file, why: messageOf(thrown) },
    { cause: thrown, place: { file } },
  );
}

/** True for what the compiler throws; a SyntaxError that running code makes (JSON.parse, eval) has that code's frames. */
export function isCompileError(thrown: unknown): thrown is Error {
  if (!isError(thrown) || thrown.name !== "SyntaxError") return false;
  const [frame = ""] = /^\s+at .*$/m.exec(thrown.stack ?? "") ?? [];
  return placeOf(thrown) !== undefined || /node:internal\/(modules|vm)\b/.test(frame);
}

/** The place of a stack that begins with one: Node puts it there for CommonJS and for missing exports. */
function placeOf({ stack = "" }: Error): Place | undefined {
  return readPlace(stack.slice(0, Math.max(0, stack.indexOf("\n"))));
}

function readPlace(text: string): Place | undefined {
  const [, name = "", line, column] = /^(.+?):(\d+)(?::(\d+))?$/.exec(text) ?? [];
  const file = name.startsWith("file:") ? fileURLToPath(name) : name;
  if (!isAbsolute(file)) return undefined;
  // Only the transformer gives columns. Without one it is Node, which counts the lines of what was made.
  if (isTypeScript(file) && column === undefined) return { file };
  return { file, line: Number(line), ...(column && { column: Number(column) }) };
}

const longest = 10_000; // ms

// For an ES module Node keeps the place in a hidden field, which it reads only to print the error as it ends.
function placeByNode(file: string): Place | undefined {
  const { spawnSync } = lazyRequire("node:child_process") as typeof ChildProcess;
  const { stderr } = spawnSync(
    process.execPath,
    ["--no-warnings", "--experimental-vm-modules", join(__dirname, "syntax-check.js"), file],
    {
      env: { ...process.env, NODE_OPTIONS: "" },
      encoding: "utf8",
      timeout: longest,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  return readPlace(stderr.slice(0, Math.max(0, stderr.indexOf("\n"))));
}

interface Missing {
  /** The file that asks for it. */
  file: string;
  name: string;
  /** True for a file, false for a package. */
  isFile: boolean;
}

function missingModule(entry: string, thrown: unknown): Missing | undefined {
  if (!isError(thrown)) return undefined;
  const { code, requireStack } = thrown as NodeJS.ErrnoException & { requireStack?: string[] };
  if (code !== "MODULE_NOT_FOUND" && code !== "ERR_MODULE_NOT_FOUND") return undefined;
  const [, name = "a module"] = /Cannot find (?:module|package) '([^']+)'/.exec(thrown.message) ?? [];
  const [, importer] = / imported from (.+)$/m.exec(thrown.message) ?? [];
  const file = requireStack?.[0] ?? importer ?? entry;
  const isFile = /^\.{0,2}[\\/]/.test(name) || isAbsolute(name);
  return { file, name: isFile ? resolve(dirname(file), name) : name, isFile };
}
