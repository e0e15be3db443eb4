/** OpenFunction's plugins: classes whose hooks run before and after every invocation. */
import type { OpenFunctionContext, PluginInstance, Plugins } from "./types";

/** How a plugin is recognised whichever copy of the package its base class comes from. */
export const pluginMark = Symbol.for("openfunction.functions-framework/plugin");

/**
 * The base class of plugins. A file of the folder `plugins/` exports a class that extends it:
 *
 *     class Timing extends Plugin {
 *       constructor() { super("timing", "v1"); }
 *       async execPreHook(ctx) { ctx.locals.started = Date.now(); }
 *       async execPostHook(ctx) { ctx.log.info(`took ${Date.now() - ctx.locals.started} ms`); }
 *     }
 */
export class Plugin implements PluginInstance {
  readonly name: string;
  readonly version: string;

  constructor(name: string, version = "unknown") {
    if (typeof name !== "string" || name.trim() === "") throw new TypeError("A plugin needs a name.");
    this.name = name;
    this.version = version || "unknown";
  }

  get(path: string): unknown {
    let value: unknown = this;
    for (const key of String(path).split("."))
      value = (value as Record<string, unknown> | null | undefined)?.[key];
    return value;
  }

  execPreHook?(ctx: OpenFunctionContext, plugins: Plugins): unknown;
  execPostHook?(ctx: OpenFunctionContext, plugins: Plugins): unknown;
}

Object.defineProperty(Plugin.prototype, pluginMark, { value: true });
