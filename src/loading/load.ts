/** Loads the user's module and picks the functions to serve. */
import { resolve } from "node:path";

import { provideFramework } from "./framework-imports";
import { type ImportOptions, importModule } from "./import-module";
import type { LoadedModule } from "./loaded";
import { locateImport, locateModule } from "./locate";
import { noteFile } from "./source-notes";
import { chooseFunctions } from "./targets";

export interface LoadOptions extends ImportOptions {
  /** File or folder of the module. Default: the working folder. */
  source?: string | undefined;
  /**
   * Name of a registered function, or of an export; dots walk into nested objects. Several are separated by commas,
   * `*` is all there are. Default: `function`, or the only one there is.
   */
  target?: string | undefined;
  /** Modules loaded before it: files, or packages of the working folder. */
  imports?: readonly string[] | undefined;
}

/** Errors: FF_LOAD_*, FF_TARGET_*, and what a module throws while it loads (as the cause of FF_LOAD_FAILED). */
export async function loadModule({
  source = process.cwd(),
  target,
  imports = [],
  typescript,
}: LoadOptions = {}): Promise<LoadedModule> {
  noteFile(resolve(source, "package.json")); // it may decide which file is the module, now or later
  const file = locateModule(source);
  const before = imports.map((name) => locateImport(name, process.cwd()));
  provideFramework(file);
  for (const one of before) await importModule(one, { typescript });
  const exported = await importModule(file, { typescript });
  return { file, exported, ...chooseFunctions(exported, file, target) };
}
