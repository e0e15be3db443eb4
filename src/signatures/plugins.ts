/** Plugins as one hook: the pre hooks in their order, the function, the post hooks in theirs. */
import type { FunctionContext } from "../core/function-context";
import { currentInvocation, type Invocation } from "../core/invocation";
import { log, logError } from "../core/log";
import type { Hook, HookInvocation, OpenFunctionContext, PluginInstance, Plugins } from "../functions/types";
import { createContextClass, type Origin } from "./context";
import { openContext } from "./current-context";
import type { Target } from "./signature";

type Stage = "execPreHook" | "execPostHook";

/** Undefined when there is nothing to run. */
export function createPluginHook(target: Target): Hook | undefined {
  const { plugins, context } = target;
  const pre = inOrder(plugins, context, "prePlugins", "execPreHook");
  const post = inOrder(plugins, context, "postPlugins", "execPostHook");
  if (pre.length === 0 && post.length === 0) return undefined;
  const Context = createContextClass(target);

  async function run(stage: Stage, list: readonly PluginInstance[], ctx: OpenFunctionContext): Promise<void> {
    const span = currentInvocation()?.span;
    for (const plugin of list) {
      const work = () => plugin[stage]?.(ctx, plugins);
      try {
        await (span ? span.within(`plugin ${plugin.name} ${stage}`, work) : work());
      } catch (err) {
        logError(err, { plugin: plugin.name, hook: stage, invocation: ctx.id });
      }
    }
  }

  return async function aroundPlugins(view, next) {
    const invocation = currentInvocation() as Invocation;
    const ctx = view.ctx ?? openContext(Context, target, invocation, originOf(view));
    await run("execPreHook", pre, ctx);
    const failure = await next().then(
      () => undefined,
      (reason: unknown) => ({ reason }),
    );
    if (failure) ctx.error = failure.reason;
    await run("execPostHook", post, ctx);
    await invocation.sends?.settle();
    // Post hooks decide: what is left on ctx is what the invocation fails with. Something falsy that the function has
    // thrown, and that nobody has touched, is a failure all the same.
    const { error } = ctx;
    if (error || (failure && Object.is(error, failure.reason))) throw error;
  };
}

// Plugins of a function of another signature get the ctx that the function may ask for.
function originOf({ event, req, res }: HookInvocation): Origin {
  return { event, rawBody: req?.rawBody, ...(req && { req }), ...(res && { res }) };
}

/** Names that a list may hold though no file defines them. */
export const builtinPlugins: readonly string[] = ["tracing", "skywalking", "opentelemetry"];

/** Without a list all plugins run, in the order in which they were loaded; an empty list means none. */
function inOrder(
  plugins: Plugins,
  context: FunctionContext | undefined,
  list: "prePlugins" | "postPlugins",
  stage: Stage,
): PluginInstance[] {
  const stated = context?.[list];
  const names = Array.isArray(stated) ? stated.map(String) : Object.keys(plugins);
  const unknown = names.filter((name) => !Object.hasOwn(plugins, name) && !builtinPlugins.includes(name));
  if (unknown.length > 0) {
    const known = Object.keys(plugins).join(", ") || "none";
    log.warn(`${list} names ${unknown.join(", ")}, which no file of plugins/ defines. There are: ${known}.`);
  }
  return names.flatMap((name) => {
    const plugin = Object.hasOwn(plugins, name) ? plugins[name] : undefined;
    return plugin && typeof plugin[stage] === "function" ? [plugin] : [];
  });
}
