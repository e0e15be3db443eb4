/** The hooks in Node's thread for them (Node 20, and 22 before 22.15): the same ones, with Node's promises around. */
import { lazyRequire } from "../core/lazy";
import { createHookList, foundAfterAll, type ImportHooksModule } from "./import-hooks";

interface Context {
  parentURL?: string;
}
type Next<T> = (text: string, context: Context) => Promise<T>;

// Registering again makes Node ask this module once more: all hooks are here, and the second answer is the first.
const { hooks, add } = createHookList();

export function initialize({ file, data }: { file: string; data: unknown }): void {
  add((lazyRequire(file) as ImportHooksModule<unknown>).createHooks(data));
}

export async function resolve(specifier: string, context: Context, next: Next<{ url: string }>) {
  const url = hooks.resolve(specifier, context.parentURL);
  if (url !== undefined) return { url, shortCircuit: true };
  try {
    return await next(specifier, context);
  } catch (err) {
    return foundAfterAll(hooks, err, specifier, context);
  }
}

export async function load(url: string, context: Context, next: Next<object>) {
  const source = hooks.load(url);
  return source === undefined ? next(url, context) : { format: "module", source, shortCircuit: true };
}
