/**
 * Takes part in how Node resolves and loads ES modules: in the same thread where Node can do that (22.15 and later),
 * else in Node's own thread for hooks, which costs 50 ms at its first use.
 */
import * as nodeModule from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { MessagePort } from "node:worker_threads";

import { lazyRequire } from "../core/lazy";

export interface ImportHooks {
  /** Asked before Node: the URL that is meant, or undefined. */
  resolve?(specifier: string, parent: string | undefined): string | undefined;
  /** Asked when Node finds no such module. */
  resolveMissing?(specifier: string, parent: string | undefined): string | undefined;
  /** The text of an ES module, or undefined to let Node read it. */
  load?(url: string): string | undefined;
}

/** What a module of hooks exports: `createHooks`. The data is copied to the thread, so it must be cloneable. */
export interface ImportHooksModule<T> {
  createHooks(data: T): ImportHooks;
}

const { registerHooks } = nodeModule as { registerHooks?: (hooks: SyncHooks) => void };

/** False on Node 20, and 22 before 22.15: the first hook costs a thread. */
export const canHookInThread = registerHooks !== undefined;

const installed = createHookList();

/** Installs the hooks of a module for all imports from now on. Those that are installed first are asked first. */
export function hookImports<T>(file: string, data: T, transferList: readonly MessagePort[] = []): void {
  if (registerHooks) {
    if (installed.isEmpty) registerHooks(inThisThread(installed.hooks));
    installed.add((lazyRequire(file) as ImportHooksModule<T>).createHooks(data));
    return;
  }
  const thread = pathToFileURL(join(__dirname, "import-hooks-thread.js"));
  nodeModule.register(thread, { data: { file, data }, transferList: [...transferList] });
}

/** Many hooks as one: the first that knows an answer gives it. */
export function createHookList() {
  const all: ImportHooks[] = [];
  const firstOf = (ask: (hooks: ImportHooks) => string | undefined) => {
    for (const one of all) {
      const answer = ask(one);
      if (answer !== undefined) return answer;
    }
    return undefined;
  };
  const hooks: Required<ImportHooks> = {
    resolve: (specifier, parent) => firstOf((one) => one.resolve?.(specifier, parent)),
    resolveMissing: (specifier, parent) => firstOf((one) => one.resolveMissing?.(specifier, parent)),
    load: (url) => firstOf((one) => one.load?.(url)),
  };
  return {
    hooks,
    add: (one: ImportHooks) => void all.push(one),
    get isEmpty() {
      return all.length === 0;
    },
  };
}

interface Context {
  parentURL?: string;
  conditions: readonly string[];
}
interface Resolved {
  url: string;
  shortCircuit?: boolean;
}
interface Loaded {
  format: string;
  source?: unknown;
  shortCircuit?: boolean;
}
interface SyncHooks {
  resolve(
    specifier: string,
    context: Context,
    next: (specifier: string, context: Context) => Resolved,
  ): Resolved;
  load(url: string, context: Context, next: (url: string, context: Context) => Loaded): Loaded;
}

function inThisThread(hooks: ImportHooks): SyncHooks {
  return {
    resolve(specifier, context, next) {
      if (isRequire(context)) return next(specifier, context);
      const url = hooks.resolve?.(specifier, context.parentURL);
      if (url !== undefined) return { url, shortCircuit: true };
      try {
        return next(specifier, context);
      } catch (err) {
        return foundAfterAll(hooks, err, specifier, context);
      }
    },
    load(url, context, next) {
      const source = isRequire(context) ? undefined : hooks.load?.(url);
      return source === undefined ? next(url, context) : { format: "module", source, shortCircuit: true };
    },
  };
}

/** Errors: the given one, where the hooks do not know better. */
export function foundAfterAll(
  hooks: ImportHooks,
  err: unknown,
  specifier: string,
  { parentURL }: { parentURL?: string },
): Resolved {
  const { code } = err as NodeJS.ErrnoException;
  const isMissing = code === "ERR_MODULE_NOT_FOUND" || code === "ERR_UNSUPPORTED_DIR_IMPORT";
  const url = isMissing ? hooks.resolveMissing?.(specifier, parentURL) : undefined;
  if (url === undefined) throw err;
  return { url, shortCircuit: true };
}

// require() asks these hooks as well; what it does is changed at `Module` itself, on every version of Node.
function isRequire({ conditions }: Context): boolean {
  return conditions.includes("require") && !conditions.includes("import");
}
