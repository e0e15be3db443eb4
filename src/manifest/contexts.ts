/** The two documents of the platform as one function context: topology from the first, hooks and tracing from the second. */
import { type FrameworkError, frameworkError, isFrameworkError } from "../core/errors";
import type { FunctionContext } from "../core/function-context";
import { log, throwProblems } from "../core/log";
import { listed } from "../core/suggest";
import { type ContextV1beta2, contextOfV1beta2, readableInputs, readV1beta2 } from "./context-v1beta2";
import { parseDocument, parseFunctionContext } from "./function-context";

export interface ContextTexts {
  /** FUNC_CONTEXT. */
  context: string | undefined;
  /** FUNC_CONTEXT_V1BETA2. */
  v1beta2: string | undefined;
}

export interface Contexts {
  first: FunctionContext | undefined;
  second: ContextV1beta2 | undefined;
}

/** Reads both. All problems are told: FF_CONTEXT_SYNTAX, FF_CONTEXT_INVALID. */
export function readContexts({ context, v1beta2 }: ContextTexts): Contexts {
  const problems: FrameworkError[] = [];
  const first = attempt(() => (context === undefined ? undefined : parseFunctionContext(context)), problems);
  const second = attempt(() => (v1beta2 === undefined ? undefined : parseV1beta2(v1beta2)), problems);
  throwProblems(problems);
  return { first, second };
}

function attempt<T>(read: () => T, problems: FrameworkError[]): T | undefined {
  try {
    return read();
  } catch (err) {
    if (!isFrameworkError(err)) throw err;
    problems.push(err);
    return undefined;
  }
}

const variable = "FUNC_CONTEXT_V1BETA2";

function parseV1beta2(text: string): ContextV1beta2 {
  const problems: string[] = [];
  const document = readV1beta2(parseDocument(text, variable), problems);
  if (problems.length > 0) throw frameworkError("FF_CONTEXT_INVALID", { variable, problems });
  return document;
}

/** `plugins`: the names of all that are loaded, and of those built in. */
export function mergeContexts(
  { first, second }: Contexts,
  plugins: readonly string[],
): FunctionContext | undefined {
  if (second === undefined) return warned(first);
  const preHooks = knownHooks(second.preHooks, "preHooks", plugins);
  const postHooks = knownHooks(second.postHooks, "postHooks", plugins);
  if (first === undefined) {
    const { prePlugins, postPlugins, ...context } = contextOfV1beta2(second);
    return warned({
      ...context,
      ...(preHooks && { prePlugins: preHooks }),
      ...(postHooks && { postPlugins: postHooks }),
    });
  }
  const { prePlugins, postPlugins, pluginsTracing, ...context } = first;
  const pre = preHooks || prePlugins ? [...new Set([...(preHooks ?? []), ...(prePlugins ?? [])])] : undefined;
  const own = (postPlugins ?? []).filter((name) => !postHooks?.includes(name));
  const post = postHooks || postPlugins ? [...own, ...(postHooks ?? [])] : undefined;
  const tracing = second.tracing === undefined ? pluginsTracing : second.tracing;
  return warned({
    ...context,
    inputs: { ...readableInputs(second.readable), ...first.inputs },
    ...(pre && { prePlugins: pre }),
    ...(post && { postPlugins: post }),
    ...(tracing && { pluginsTracing: tracing }),
  } as FunctionContext);
}

// Hooks of functions in another language stand in the platform's own list: one in which nothing is known says nothing.
function knownHooks(
  names: string[] | undefined,
  list: string,
  plugins: readonly string[],
): string[] | undefined {
  if (names === undefined || names.length === 0 || names.some((name) => plugins.includes(name))) return names;
  log.warn(
    `${list} of ${variable} names ${names.join(", ")}, none of which is here, so the list is not used. There are: ${plugins.join(", ")}.`,
  );
  return undefined;
}

const providers = ["skywalking", "opentelemetry"];

function warned(context: FunctionContext | undefined): FunctionContext | undefined {
  const { enabled, provider } = context?.pluginsTracing ?? {};
  const name = provider?.name;
  if (enabled && name && !providers.includes(name.toLowerCase()))
    log.warn(
      `The tracing provider "${name}" is not known, so nothing is traced. There are: ${listed(providers)}.`,
    );
  return context;
}
