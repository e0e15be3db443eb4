/** The tsconfig.json nearest to a file, with what it extends. */
import { dirname } from "node:path";
import type { TsConfigResult } from "get-tsconfig";

import { frameworkError, messageOf } from "../core/errors";
import { lazyRequire } from "../core/lazy";

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
  const path = findTsconfig(folder);
  if (path === undefined) return none;
  const known = byFile.get(path);
  if (known) return known;
  let found: TsConfigResult;
  try {
    found = { path, config: parseTsconfig(path) };
  } catch (err) {
    throw frameworkError("FF_LOAD_TSCONFIG", { file: path, why: messageOf(err) }, { place: { file: path } });
  }
  const config = {
    compilerOptions: { ...found.config.compilerOptions },
    pathsOf: createPathsMatcher(found) ?? none.pathsOf,
  };
  byFile.set(path, config);
  return config;
}
