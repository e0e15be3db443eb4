/** Loads one file of the user's, the way Node would: `require` where it can, `import` where it must. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

import { frameworkError, isError } from "../core/errors";
import { settled } from "../core/settled";
import { isCompileError, loadError } from "./load-error";
import { isEsModule, isTypeScript } from "./locate";
import { noteImport } from "./source-notes";

const load = createRequire(__filename);

export interface ImportOptions {
  /** `off`: TypeScript is left to Node. Default `auto`. */
  typescript?: "auto" | "off";
}

/** The exports of the module, after its top-level await. Errors: FF_LOAD_*. */
export async function importModule(
  file: string,
  { typescript = "auto" }: ImportOptions = {},
): Promise<unknown> {
  try {
    if (isTypeScript(file) && typescript === "auto") typeScript().installTypeScript(file);
    // require() first where it is right: it is faster, and keeps `require.main`-style modules as they are.
    if (isEsModule(file)) return await importFile(file);
    return createRequire(file)(file);
  } catch (err) {
    if (!isEsModule(file) && mayBeEsModule(file, err)) return importAfterAll(file, err);
    throw loadError(file, err);
  }
}

// Node 20 sees the ES syntax of a file without "type" in import() only. TypeScript is transformed by then.
function mayBeEsModule(file: string, err: unknown): boolean {
  if (isError(err) && (err as NodeJS.ErrnoException).code === "ERR_REQUIRE_ASYNC_MODULE") return true;
  return isCompileError(err) && !isTypeScript(file);
}

async function importAfterAll(file: string, first: unknown): Promise<unknown> {
  try {
    if (isTypeScript(file)) typeScript().preferModules();
    return await importFile(file);
  } catch (err) {
    throw loadError(file, isCompileError(err) && isCompileError(first) ? first : err);
  }
}

// A top-level await may wait for what never comes.
function importFile(file: string): Promise<unknown> {
  noteImport();
  if (isTypeScript(file)) typeScript().hookTypeScriptImports();
  return settled(import(pathToFileURL(file).href), () =>
    frameworkError("FF_LOAD_UNSETTLED", { file }, { place: { file } }),
  );
}

// A project without TypeScript pays nothing for it.
function typeScript(): typeof import("./typescript") {
  return load("./typescript.js") as typeof import("./typescript");
}
