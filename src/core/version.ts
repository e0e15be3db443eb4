import { lazyRequire } from "./lazy";

/** The version of this package. */
export function frameworkVersion(): string {
  const { version } = lazyRequire("../../package.json") as { version: string };
  return version;
}
