/** OpenTelemetry's packages: optional, and loaded only while something traces. */
import { frameworkError } from "../core/errors";
import { lazyRequire } from "../core/lazy";

/** Error: FF_TRACING_PACKAGE_MISSING naming what to install. */
export function loadPackage<T>(name: string): T {
  try {
    return lazyRequire(name) as T;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw err;
    throw frameworkError("FF_TRACING_PACKAGE_MISSING", { name }, { cause: err });
  }
}
