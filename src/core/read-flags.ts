/**
 * Reads options by the table. `serve` uses node:util's parseArgs because yargs costs 90 ms at start; the other
 * commands hand over what yargs has read.
 */
import { parseArgs } from "node:util";

import { frameworkError } from "./errors";
import { type Command, type Flag, type FlagName, type FlagValues, flags, flagsOf } from "./flags";
import { configureLog } from "./log";
import { nearest } from "./suggest";

/** Values and where they came from; `explicit` holds the names given by flag or variable. */
export interface ParsedFlags {
  values: FlagValues;
  explicit: ReadonlySet<FlagName>;
  /** A line for every flag that is not known. */
  warnings: readonly string[];
}

/** Reads `serve`'s arguments. An unknown flag is a warning with the nearest name, as a drop-in must start all the same. */
export function readServeFlags(args: string[], env: NodeJS.ProcessEnv): ParsedFlags {
  const rows = flagsOf("serve");
  const options = Object.fromEntries(
    rows.map(([name, flag]) => [name, { type: flag.switch ? "boolean" : "string" } as const]),
  );
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const given = new Map<string, string | undefined>();
  const warnings: string[] = [];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(options, token.name)) {
      const suggestion = nearest(token.name, Object.keys(options));
      warnings.push(
        `Unknown option "${token.rawName}" is ignored.${suggestion ? ` Did you mean "--${suggestion}"?` : ""}`,
      );
      continue;
    }
    given.set(
      token.name,
      token.value ?? ((flags[token.name as FlagName] as Flag).switch ? "true" : undefined),
    );
  }
  return { ...resolveFlags("serve", given, env), warnings };
}

/**
 * Flag, then environment, then default. An empty text counts as not given and falls through to the next.
 * The options of the log are read first and take effect at once, so that what is wrong with the others is told as asked.
 */
export function resolveFlags(
  command: Command,
  given: ReadonlyMap<string, unknown>,
  env: NodeJS.ProcessEnv,
): ParsedFlags {
  const values: Partial<Record<FlagName, unknown>> = {};
  const explicit = new Set<FlagName>();
  const rows = flagsOf(command);
  const isOutput = ([, flag]: [FlagName, Flag]) => flag.group === "Output";
  for (const row of rows.filter(isOutput)) read(row);
  applyLogFlags(command, values);
  for (const row of rows.filter((one) => !isOutput(one))) read(row);
  return { values: values as FlagValues, explicit, warnings: [] };

  function read([name, flag]: [FlagName, Flag]): void {
    const stated = given.get(name);
    if (flag.repeatable && Array.isArray(stated))
      values[name] = stated.map((value) => parseValue(name, flag, String(value)));
    else {
      const raw = [stated, flag.env === undefined ? undefined : env[flag.env]].find(
        (value) => value !== undefined && value !== "",
      );
      values[name] = raw === undefined ? flag.default : parseValue(name, flag, String(raw));
      if (raw === undefined) return;
    }
    explicit.add(name);
  }
}

function applyLogFlags(command: Command, values: Partial<Record<FlagName, unknown>>): void {
  const { "log-format": stated, "log-level": level, verbose, json } = values as Partial<FlagValues>;
  const format = stated ?? (command === "dev" ? (json ? "json" : "pretty") : undefined);
  configureLog({ ...(format && { format }), ...(level && { level }), verbose: verbose === true });
}

function parseValue(name: string, flag: Flag, value: string): unknown {
  const parsed = flag.parse(value);
  if (parsed === undefined) {
    throw frameworkError("FF_OPTION_INVALID", {
      flag: `--${name}`,
      env: flag.env,
      value,
      allowed: flag.allowed,
    });
  }
  return parsed;
}
