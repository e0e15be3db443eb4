/**
 * Reads options by the table. `serve` uses node:util's parseArgs because yargs costs 90 ms at start; the other
 * commands hand over what yargs has read.
 */
import { parseArgs } from "node:util";

import { type FrameworkError, frameworkError } from "./errors";
import { type Command, type Flag, type FlagName, type FlagValues, flags, flagsOf } from "./flags";
import type { LogSettings } from "./log";
import { nearest } from "./suggest";

/** Values and where they came from; `explicit` holds the names given by flag or variable. */
export interface ParsedFlags {
  values: FlagValues;
  explicit: ReadonlySet<FlagName>;
  /** A line for every flag that is not known. */
  warnings: readonly string[];
  /** Every value that is not allowed: FF_OPTION_INVALID, FF_OPTION_VALUE_MISSING. */
  problems: readonly FrameworkError[];
}

/** Reads `serve`'s arguments. An unknown flag is a warning with the nearest name, as a drop-in must start all the same. */
export function readServeFlags(args: string[], env: NodeJS.ProcessEnv): ParsedFlags {
  const rows = flagsOf("serve");
  const options = Object.fromEntries(
    rows.map(([name, flag]) => [name, { type: flag.switch ? "boolean" : "string" } as const]),
  );
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const given = new Map<string, string | string[] | undefined>();
  const warnings: string[] = [];
  const missing: FrameworkError[] = [];
  let lastUnknown: number | undefined;
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(options, token.name)) {
      const written = nameOf(args[token.index] ?? token.rawName);
      const suggestion = nearest(written.replace(/^-+/, ""), Object.keys(options));
      const warning = `Unknown option "${written}" is ignored.${suggestion ? ` Did you mean "--${suggestion}"?` : ""}`;
      if (token.index !== lastUnknown) warnings.push(warning); // `-port` is a token a letter
      lastUnknown = token.index;
      continue;
    }
    const flag = flags[token.name as FlagName] as Flag;
    if (flag.switch) given.set(token.name, token.value ?? wordAfter(tokens[index + 1], flag) ?? "true");
    // `--port --target=hello`: the next option is not the value that was forgotten.
    else if (token.value === undefined || (!token.inlineValue && token.value.startsWith("--")))
      missing.push(frameworkError("FF_OPTION_VALUE_MISSING", { flag: token.rawName }));
    else if (!flag.repeatable) given.set(token.name, token.value);
    else if (token.value !== "") given.set(token.name, [...(given.get(token.name) ?? []), token.value]);
  }
  const parsed = resolveFlags("serve", given, env);
  return { ...parsed, warnings, problems: [...missing, ...parsed.problems] };
}

function nameOf(argument: string): string {
  return argument.split("=", 1)[0] as string;
}

// `--log-execution-id false`: parseArgs takes no value for a switch, the original framework does.
function wordAfter(
  next: { kind: string; value?: string | undefined } | undefined,
  flag: Flag,
): string | undefined {
  const isWord =
    next?.kind === "positional" && next.value !== undefined && flag.parse(next.value) !== undefined;
  return isWord ? next.value : undefined;
}

/** Flag, then environment, then default. An empty text counts as not given and falls through to the next. */
export function resolveFlags(
  command: Command,
  given: ReadonlyMap<string, unknown>,
  env: NodeJS.ProcessEnv,
): ParsedFlags {
  const values: Partial<Record<FlagName, unknown>> = {};
  const explicit = new Set<FlagName>();
  const problems: FrameworkError[] = [];

  function parse(name: FlagName, flag: Flag, value: string): unknown {
    const parsed = flag.parse(value);
    if (parsed !== undefined) return parsed;
    problems.push(
      frameworkError("FF_OPTION_INVALID", {
        flag: `--${name}`,
        env: flag.env,
        value,
        allowed: flag.allowed,
        problems: flag.problemsOf?.(value),
      }),
    );
    return flag.default;
  }
  for (const [name, flag] of flagsOf(command)) {
    const stated = given.get(name);
    const isGiven = (value: unknown) => value !== undefined && (value !== "" || flag.emptyIsValue === true);
    const raw = [stated, variable(flag, env)].find(isGiven);
    if (raw === undefined) values[name] = flag.default;
    else {
      explicit.add(name);
      values[name] = Array.isArray(raw)
        ? raw.map((value) => parse(name, flag, String(value)))
        : parse(name, flag, String(raw));
    }
  }
  return { values: values as FlagValues, explicit, warnings: [], problems };
}

function variable({ env: name, repeatable }: Flag, env: NodeJS.ProcessEnv): string | string[] | undefined {
  const value = name && env[name];
  if (!value || !repeatable) return value;
  return value
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);
}

/** What the options of a command say of the log. */
export function logSettingsOf(command: Command, values: FlagValues): Partial<LogSettings> {
  const { "log-format": stated, "log-level": level, verbose, json } = values;
  const format = stated ?? (command === "dev" ? (json ? "json" : "pretty") : undefined);
  return { ...(format && { format }), level, verbose };
}
