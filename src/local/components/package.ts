/** Loads what a component talks to its server with: an optional package, beside the framework or in the user's project. */
import { createRequire } from "node:module";
import { join } from "node:path";

import { frameworkError } from "../../core/errors";
import { lazyRequire } from "../../core/lazy";
import type { ComponentSpec } from "./component";

/** Finds it, and gives what loads it. Error: FF_COMPONENT_PACKAGE when it is installed nowhere. */
export function findPackage({ name: component, type, place }: ComponentSpec, wanted: string): () => unknown {
  const ownRequire = createRequire(join(process.cwd(), "package.json"));
  const from = [lazyRequire, ownRequire].find((one) => isThere(one, wanted));
  if (from) return () => from(wanted);
  throw frameworkError("FF_COMPONENT_PACKAGE", { component, type, package: wanted }, { place });
}

function isThere(from: NodeJS.Require, wanted: string): boolean {
  try {
    from.resolve(wanted);
    return true;
  } catch {
    return false;
  }
}
