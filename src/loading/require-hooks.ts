/** Takes part in how `require` finds files: at `Module`, which every version of Node asks. */
import * as nodeModule from "node:module";

export interface RequireHooks {
  /** Asked before Node: the file that is meant, or undefined. */
  before?(specifier: string, parent: string): string | undefined;
  /** Asked when Node finds nothing. */
  missing?(specifier: string, parent: string): string | undefined;
}

type ResolveFilename = (
  specifier: string,
  parent: { filename?: string | null } | undefined,
  isMain?: boolean,
  options?: { paths?: string[] },
) => string;

/** Changes it for all that is required from now on; the newest change is asked first. */
export function changeResolution({ before, missing }: RequireHooks): void {
  const Module = nodeModule.Module as unknown as { _resolveFilename: ResolveFilename };
  const original = Module._resolveFilename;

  Module._resolveFilename = function resolveFilename(specifier, parent, isMain, options) {
    const from = options?.paths ? undefined : (parent?.filename ?? undefined);
    const file = from === undefined ? undefined : before?.(specifier, from);
    if (file !== undefined) return file;
    try {
      return original.call(this, specifier, parent, isMain, options);
    } catch (err) {
      const isMissing = (err as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
      const found = isMissing && from !== undefined ? missing?.(specifier, from) : undefined;
      if (found === undefined) throw err;
      return found;
    }
  };
}
