/** How `import` finds the running framework: only where Node finds none. */
import { pathToFileURL } from "node:url";

import type { ImportHooks } from "./import-hooks";

export interface FrameworkImportsData {
  /** Specifier → file. */
  files: Record<string, string>;
}

export function createHooks({ files }: FrameworkImportsData): ImportHooks {
  return {
    resolveMissing(specifier) {
      const file = Object.hasOwn(files, specifier) ? files[specifier] : undefined;
      return file === undefined ? undefined : pathToFileURL(file).href;
    },
  };
}
