/**
 * The framework's own lines. They go to stderr: stdout belongs to the user's function.
 * Levels: error = someone must act, warn = it will bite, info = life events, debug = the rest.
 */
import { inspect } from "node:util";

import { type FrameworkError, formatPlace, isError, isFrameworkError, messageOf } from "./errors";

export type LogLevel = "debug" | "info" | "warn" | "error";
const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const severities = { debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR" };

/** Fields of a line besides level and message. */
export type LogFields = Record<string, unknown>;

export type LogFormat = "pretty" | "json";

export interface LogSettings {
  /** `pretty` for people, `json` one object a line. Default: pretty when stderr is a terminal. */
  format: LogFormat;
  /** Lines below this level are left out. Default `info`. */
  level: LogLevel;
  /** Show the framework's own stack frames with errors. Default false. */
  verbose: boolean;
  /** JSON lines carry Google's `severity` too. Default false. */
  severity: boolean;
  /** Adds to a JSON line what it says about the invocation it is written in. Default: nothing. */
  label: (line: LogFields) => void;
}

const settings: LogSettings = {
  format: process.stderr.isTTY ? "pretty" : "json",
  level: "info",
  verbose: false,
  severity: false,
  label: () => undefined,
};

/** Changes the settings of the process; what is not given stays. */
export function configureLog(changes: Partial<LogSettings>): void {
  Object.assign(settings, changes);
}

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A logger whose lines all carry the given fields. */
export function createLogger(fields: LogFields = {}): Logger {
  const line = (level: LogLevel) => (message: string, more?: LogFields) =>
    write(level, message, more ? { ...fields, ...more } : fields);
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

/** The logger of the framework itself. */
export const log: Logger = createLogger();

/** The settings in force. */
export function logSettings(): Readonly<LogSettings> {
  return settings;
}

/** One error for a reader: code, sentence, place, what to try; the user's own stack when their code threw. */
export function logError(thrown: unknown, fields: LogFields = {}): void {
  if (settings.format === "json")
    return log.error(messageOf(thrown), { ...describeError(thrown), ...fields });
  write("error", explainError(thrown), fields);
}

/** The same for an error of another process. */
export function logFailure(failure: ErrorDescription): void {
  if (settings.format === "json") log.error(failure.message, { ...failure });
  else write("error", explain(failure).join("\n"), {});
}

/** Tells every problem but the first and throws that one; nothing happens when there is none. */
export function throwProblems([first, ...more]: readonly FrameworkError[]): void {
  for (const problem of more) logError(problem);
  if (first) throw first;
}

/** An error as an object: in JSON lines, between processes, in `dev --json`. */
export interface ErrorDescription {
  code: string;
  message: string;
  /** `file:line:column` */
  place?: string;
  hint?: string;
  /** The user's own frames, when their code threw. */
  stack?: string;
}

/** The fields of an error in JSON lines and `--json` objects. */
export function describeError(thrown: unknown): ErrorDescription {
  if (!isFrameworkError(thrown)) {
    return { code: "FF_FUNCTION_FAILED", message: messageOf(thrown), ...stackOf(thrown) };
  }
  const { code, message, place, hint, cause } = thrown;
  return {
    code,
    message,
    ...(place && { place: formatPlace(place) }),
    ...(hint && { hint }),
    ...(isFrameworkError(cause) ? {} : stackOf(cause, { whole: thrown.code === "FF_INTERNAL_ERROR" })),
  };
}

/** The same as text of several lines. */
function explainError(thrown: unknown): string {
  if (!isFrameworkError(thrown)) return stackOf(thrown).stack ?? messageOf(thrown);
  const lines = explain(describeError(thrown));
  if (settings.verbose && thrown.stack) lines.push(indent(thrown.stack));
  return lines.join("\n");
}

function explain({ code, message, place, stack, hint }: ErrorDescription): string[] {
  const lines = [`${code} ${message}`];
  if (place) lines.push(`  at ${place}`);
  if (stack) lines.push(indent(stack));
  if (hint) lines.push(`  ${hint}`);
  return lines;
}

/** Two spaces before every line. */
export function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}

const ownFrame = /[\\/]@openfunction[\\/]functions-framework[\\/]|node:internal/;
const ownFolder = __dirname.replace(/[\\/]core$/, "");

// The user's frames are kept, ours are noise to them unless they ask for it.
function stackOf(thrown: unknown, { whole = false } = {}): { stack?: string } {
  const stack = readStack(thrown);
  if (stack === undefined) return {};
  if (settings.verbose || whole) return { stack };
  const lines = stack.split("\n");
  return { stack: lines.filter((line) => !/^\s+at /.test(line) || !isOwnFrame(line)).join("\n") };
}

function readStack(thrown: unknown): string | undefined {
  try {
    return isError(thrown) && typeof thrown.stack === "string" ? thrown.stack : undefined;
  } catch {
    return undefined; // a getter or a proxy that throws
  }
}

function isOwnFrame(line: string): boolean {
  return ownFrame.test(line) || line.includes(ownFolder);
}

function write(level: LogLevel, message: string, fields: LogFields): void {
  if (logLevels.indexOf(level) < logLevels.indexOf(settings.level)) return;
  if (settings.format === "json") writeLabelled(jsonLine(level, message, fields));
  else writeLine(prettyLine(level, message, fields));
}

let isLabelled = false;

/** True while a line is written that is labelled already: who labels all that goes to stderr leaves it alone. */
export function isLabelledLine(): boolean {
  return isLabelled;
}

function writeLabelled(line: string): void {
  isLabelled = true;
  writeLine(line);
  isLabelled = false;
}

function writeLine(line: string): void {
  try {
    process.stderr.write(line);
  } catch {
    // The user's code has replaced it by something that throws: a line is lost, an answer must not be.
  }
}

function jsonLine(level: LogLevel, message: string, fields: LogFields): string {
  const text = toJson(lineOf(level, message, fields));
  return `${text ?? JSON.stringify(lineOf(level, message, writable(fields)))}\n`;
}

// Assigned one by one: spreads take a microsecond more.
function lineOf(level: LogLevel, message: string, fields: LogFields): LogFields {
  const line: LogFields = { time: now(), level };
  if (settings.severity) line.severity = severities[level];
  line.message = message;
  Object.assign(line, fields);
  settings.label(line);
  return line;
}

let lastMillisecond = 0;
let lastTime = "";

// Many lines fall into one millisecond, and a date is half a microsecond to write.
function now(): string {
  const millisecond = Date.now();
  if (millisecond !== lastMillisecond) {
    lastMillisecond = millisecond;
    lastTime = new Date(millisecond).toISOString();
  }
  return lastTime;
}

function prettyLine(level: LogLevel, message: string, fields: LogFields): string {
  const pairs = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === "string" ? value : (toJson(value) ?? inspect(value))}`,
  );
  const label = level === "info" ? "" : `${level}: `;
  return `${label}${message}${pairs.join("")}\n`;
}

// What has no JSON form (a BigInt, a cycle) must not throw into the code that logs it.
function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

// As text where there is no JSON form.
function writable(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, toJson([value]) ? value : inspect(value)]),
  );
}
