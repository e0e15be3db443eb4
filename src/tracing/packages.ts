/** OpenTelemetry's packages: optional, and loaded only while something traces. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join } from "node:path";

import { frameworkError } from "../core/errors";
import { lazyRequire } from "../core/lazy";

/** Error: FF_TRACING_PACKAGE_MISSING naming what to install, with the versions that fit. */
export function loadPackage<T>(name: string): T {
  try {
    return lazyRequire(name) as T;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw err;
    throw frameworkError("FF_TRACING_PACKAGE_MISSING", { name, range: rangeOf(name) }, { cause: err });
  }
}

/** The copy that a file of the user's would load, when it is newer than ours. */
export function loadNewerOf<T>(file: string | undefined, name: string): T | undefined {
  if (file === undefined || !isAbsolute(file)) return undefined;
  try {
    const users = createRequire(file);
    const [theirs, ours] = [users, lazyRequire].map((load) => versionOf(load.resolve(name), name));
    const isNewer = (theirs as string).localeCompare(ours as string, "en", { numeric: true }) > 0;
    return isNewer ? (users(name) as T) : undefined;
  } catch {
    return undefined; // it has none, or one that cannot be loaded this way: ours does
  }
}

function versionOf(file: string, name: string): string {
  const folder = join("node_modules", name);
  const root = file.slice(0, file.lastIndexOf(folder) + folder.length);
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

function rangeOf(name: string): string | undefined {
  const { optionalDependencies, peerDependencies } = lazyRequire("../../package.json") as Record<
    string,
    Record<string, string> | undefined
  >;
  return optionalDependencies?.[name] ?? peerDependencies?.[name];
}
