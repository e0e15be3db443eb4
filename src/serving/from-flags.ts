/** Loads what the flags name, and serves it. */
import { createRequire } from "node:module";
import { resolve } from "node:path";

import { log } from "../core/log";
import { importModule } from "../loading/import-module";
import { loadModule } from "../loading/load";
import { loadPlugins } from "../loading/plugins";
import type * as FunctionContexts from "../manifest/contexts";
import { builtinPlugins } from "../signatures/plugins";
import { type LaunchOptions, launch } from "./launch";
import type { Running } from "./options";

const load = createRequire(__filename);

/** Errors: FF_CONTEXT_*, FF_LOAD_*, FF_TARGET_*, and those of `launch`. */
export async function serveFromFlags(
  options: Omit<LaunchOptions, "loaded" | "context" | "plugins">,
): Promise<Running> {
  const { values } = options.flags;
  const isStated = values.context !== undefined || values["context-v1beta2"] !== undefined;
  const reader = isStated ? contextReader() : undefined;
  const contexts = reader?.readContexts({ context: values.context, v1beta2: values["context-v1beta2"] });
  const { source, target, import: imports, ts: typescript } = values;
  const pluginFolder = resolve(source ?? ".", "plugins"); // before the module, which may change the working folder
  const loaded = await loadModule({ source, target, imports, typescript });
  if (loaded.chosen)
    log.info(`No target is given: "${loaded.functions[0]?.name}" is the only function, so it is served.`);
  const plugins = await loadPlugins(pluginFolder, (file) => importModule(file, { typescript }));
  const names = [...Object.keys(plugins), ...builtinPlugins];
  const context = contexts && reader?.mergeContexts(contexts, names);
  return launch({ ...options, loaded, context, plugins });
}

const contextReader = () => load("../manifest/contexts.js") as typeof FunctionContexts;
