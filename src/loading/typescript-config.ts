/** The tsconfig.json nearest to a file, with what it extends. */
import { dirname } from "node:path";
import type { TsConfigResult } from "get-tsconfig";

import { frameworkError, messageOf } from "../core/errors";
import { lazyRequire } from "../core/lazy";
import { noteFile } from "./source-notes";

export interface TypeScriptConfig {
  /** The `compilerOptions` of which the transformer knows some. */
  compilerOptions: Record<string, unknown>;
  /** The files a name may mean by `paths`, without endings; most wanted first. */
  pathsOf(specifier: string): string[];
}

const none: TypeScriptConfig = { compilerOptions: {}, pathsOf: () => [] };
const byFolder = new Map<string, TypeScriptConfig>();
const byFile = new Map<string, TypeScriptConfig>();

/** Error: FF_LOAD_TSCONFIG. */
export function configOf(file: string): TypeScriptConfig {
  const folder = dirname(file);
  const known = byFolder.get(folder);
  if (known) return known;
  const config = readConfig(folder);
  byFolder.set(folder, config);
  return config;
}

function readConfig(folder: string): TypeScriptConfig {
  const { findTsconfig, parseTsconfig, createPathsMatcher } = lazyRequire(
    "get-tsconfig",
  ) as typeof import("get-tsconfig"); // 3 ms
  const asked: Asked = new Map();
  const path = findTsconfig(folder, undefined, asked);
  if (path === undefined) return none;
  const known = byFile.get(path);
  if (known) return known;
  let found: TsConfigResult;
  try {
    found = { path, config: parseTsconfig(path, asked) };
  } catch (err) {
    throw frameworkError("FF_LOAD_TSCONFIG", { file: path, why: messageOf(err) }, { place: { file: path } });
  } finally {
    noteChain(asked);
  }
  const config = {
    compilerOptions: { ...found.config.compilerOptions },
    pathsOf: createPathsMatcher(found) ?? none.pathsOf,
  };
  byFile.set(path, config);
  return config;
}

type Asked = Map<string, string>;

// The keys are "readFileSync:/folder/tsconfig.json:utf8": all that was asked of the file system, in vain too.
function noteChain(asked: Asked): void {
  for (const key of asked.keys()) {
    const [, file] = /^(?:readFileSync|existsSync|statSync):(.+?)(?::utf8)?$/.exec(key) ?? [];
    if (file?.endsWith(".json")) noteFile(file);
  }
}
