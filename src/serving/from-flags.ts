/** Loads what the flags name, and serves it. */
import { createRequire } from "node:module";
import { resolve } from "node:path";

import { log } from "../core/log";
import { importModule } from "../loading/import-module";
import { loadModule } from "../loading/load";
import { loadPlugins } from "../loading/plugins";
import type * as Contexts from "../manifest/contexts";
import { builtinPlugins } from "../signatures/plugins";
import { type LaunchOptions, launch } from "./launch";
import type { Running } from "./options";

const load = createRequire(__filename);

/** Errors: FF_CONTEXT_*, FF_LOAD_*, FF_TARGET_*, and those of `launch`. */
export async function serveFromFlags(
  options: Omit<LaunchOptions, "loaded" | "context" | "plugins">,
): Promise<Running> {
  const { values } = options.flags;
  const { context: text, "context-v1beta2": v1beta2 } = values;
  const read =
    text === undefined && v1beta2 === undefined
      ? undefined
      : contexts().readContexts({ context: text, v1beta2 });
  const { source, target, import: imports, ts: typescript } = values;
  const pluginFolder = resolve(source ?? ".", "plugins"); // before the module, which may change the working folder
  const loaded = await loadModule({ source, target, imports, typescript });
  if (loaded.chosen)
    log.info(`No target is given: "${loaded.functions[0]?.name}" is the only function, so it is served.`);
  const plugins = await loadPlugins(pluginFolder, (file) => importModule(file, { typescript }));
  const context = read && contexts().mergeContexts(read, [...Object.keys(plugins), ...builtinPlugins]);
  return launch({ ...options, loaded, context, plugins });
}

// Most HTTP functions have none.
const contexts = () => load("../manifest/contexts.js") as typeof Contexts;
