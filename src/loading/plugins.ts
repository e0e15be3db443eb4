/** Loads OpenFunction's plugins from the folder `plugins/` beside the function. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";

import { messageOf } from "../core/errors";
import { log, logError } from "../core/log";
import { pluginMark } from "../functions/plugin";
import type { PluginInstance, Plugins } from "../functions/types";
import { noteMissing } from "./source-notes";

const loadable = /\.(?:[cm]?js|[cm]?ts)$/;

/**
 * Every class of the folder's modules that is a plugin, constructed without arguments, by name; `load` imports a file.
 * A missing folder is no plugins; a bad one is told and hides no other.
 */
export async function loadPlugins(
  folder: string,
  load: (file: string) => Promise<unknown>,
): Promise<Plugins> {
  const plugins: Record<string, PluginInstance> = {};
  for (const file of filesOf(folder)) {
    let classes: Iterable<Constructor>;
    try {
      classes = new Set(candidatesOf(await load(file)));
    } catch (err) {
      logError(err, { plugin: file });
      continue;
    }
    for (const PluginClass of classes) {
      const plugin = construct(PluginClass, file);
      if (plugin === undefined) continue;
      if (Object.hasOwn(plugins, plugin.name))
        log.warn(`The plugin "${plugin.name}" of ${basename(file)} replaces another of that name.`);
      plugins[plugin.name] = plugin;
    }
  }
  return plugins;
}

function filesOf(folder: string): string[] {
  noteMissing(join(folder, "*")); // one more file in it is one more plugin
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const isPlugin = (name: string) => loadable.test(name) && !/\.d\.[cm]?ts$/.test(name);
    return entries
      .filter((entry) => !entry.isDirectory() && isPlugin(entry.name))
      .map((entry) => join(folder, entry.name))
      .sort();
  } catch {
    return []; // no such folder
  }
}

type Constructor = new () => PluginInstance;

// The class itself as `module.exports`, the members, and what `default` wraps.
function candidatesOf(exported: unknown): Constructor[] {
  const members = Object.values(Object(exported)).flatMap((value) =>
    typeof value === "object" && value !== null ? [value, ...Object.values(value)] : [value],
  );
  return [exported, ...members].filter(isPluginClass);
}

// By the base class's mark or by its hooks: another copy of the package has another base class.
function isPluginClass(value: unknown): value is Constructor {
  if (typeof value !== "function") return false;
  const prototype = value.prototype as (Partial<PluginInstance> & { [pluginMark]?: true }) | null | undefined;
  if (!prototype || Object.hasOwn(prototype, pluginMark)) return false; // the base class itself
  if (prototype[pluginMark]) return true;
  return typeof prototype.execPreHook === "function" || typeof prototype.execPostHook === "function";
}

function construct(PluginClass: Constructor, file: string): PluginInstance | undefined {
  try {
    const plugin = new PluginClass();
    if (typeof plugin.name === "string" && plugin.name.trim() !== "") return plugin;
    log.warn(`A plugin of ${basename(file)} has no name, so it does not run.`);
  } catch (err) {
    const plugin = PluginClass.name ? `The plugin ${PluginClass.name}` : "A plugin"; // `exports.X = class {}` has no name
    log.warn(`${plugin} of ${basename(file)} cannot be made: ${messageOf(err)}`);
  }
  return undefined;
}
