/** The one table of options: flag, environment twin, type, default, help. core/read-flags and yargs read by it. */
import { availableParallelism } from "node:os";

import { type RetryRule, readRetryRule, retryExample } from "./retry-rule";

export type Command = "serve" | "dev";

interface FlagKind<T> {
  /** What a value must be, as the end of "… is not". */
  allowed: string;
  /** The value, or undefined when the text is not allowed. */
  parse(text: string): T | undefined;
  /** All values, where there are few. */
  choices?: readonly string[];
  /** What is wrong with a text that is not allowed, where there is more to say. */
  problemsOf?(text: string): readonly string[];
}

export interface Flag<T = unknown> extends FlagKind<T> {
  /** Environment variable read when the flag is absent. */
  env?: string;
  /** Taken when neither flag nor variable is given. */
  default?: T;
  /** The default in words, when it is decided elsewhere. */
  defaultText?: string;
  /** One-letter form. */
  alias?: string;
  /** May be given several times, and with commas in the variable; the values become a list. Without it the last one wins. */
  repeatable?: boolean;
  /** Needs no value. */
  switch?: boolean;
  /** An empty text is a value too; elsewhere it counts as not given. */
  emptyIsValue?: boolean;
  help: string;
  group: "Function" | "Server" | "Local runtime" | "Output";
  commands: readonly Command[];
}

const text: FlagKind<string> = { allowed: "a text", parse: (value) => value };
const port: FlagKind<number> = {
  allowed: "a port from 0 to 65535",
  parse: (value) => (/^\d{1,5}$/.test(value) && Number(value) <= 65535 ? Number(value) : undefined),
};
// A timer of Node's holds 2147483 s; above it fires at once. Some seconds are added to a grace period.
const longest = 2_000_000;
const seconds: FlagKind<number> = {
  allowed: `a number of seconds from 0 to ${longest}, such as 10 or 0.5`,
  parse: (value) =>
    /^\d{1,7}(\.\d+)?s?$/.test(value) && Number.parseFloat(value) <= longest
      ? Number.parseFloat(value)
      : undefined,
};
const bytes: FlagKind<number> = {
  allowed: 'a size from 0 to 2gb, such as "512kb", "32mb" or a number of bytes',
  parse: parseBytes,
};
// As the original framework reads it: the digits in front count.
const wholeSeconds: FlagKind<number> = {
  allowed: "a number of seconds from 0 (off) to 2147483",
  parse: (value) =>
    /^\d/.test(value) && Number.parseInt(value, 10) <= 2_147_483 ? Number.parseInt(value, 10) : undefined,
};
const hostName: FlagKind<string> = {
  allowed: "the name of a host, such as dev.example.com",
  parse: (value) => (/^[\w.-]{1,253}$/.test(value) ? value.toLowerCase() : undefined),
};
const count: FlagKind<number> = {
  allowed: "a whole number, 0 or more",
  parse: (value) => (/^\d{1,9}$/.test(value) ? Number(value) : undefined),
};
const workerCount: FlagKind<number> = {
  allowed: "a whole number from 1 to 999, or auto",
  parse(value) {
    if (value === "auto") return availableParallelism();
    return /^[1-9]\d{0,2}$/.test(value) ? Number(value) : undefined;
  },
};
const onOffWords = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);
const onOff: FlagKind<boolean> = {
  allowed: "true or false",
  parse: (value) => onOffWords.get(value.toLowerCase()),
};
const exactlyTrue: FlagKind<boolean> = {
  allowed: "a text",
  parse: (value) => value.toLowerCase() === "true",
};
const oneOf = <T extends string>(...choices: readonly T[]): FlagKind<T> => ({
  allowed: `one of ${choices.join(", ")}`,
  choices,
  parse: (value) => choices.find((choice) => choice === value),
});

const retryRule: FlagKind<RetryRule> = {
  allowed: `JSON such as ${retryExample}`,
  parse(value) {
    const read = readRetryRule(value);
    return "rule" in read ? read.rule : undefined;
  },
  problemsOf(value) {
    const read = readRetryRule(value);
    return "rule" in read ? [] : read.problems;
  },
};

// What Express 5 understands of a mount path, and the list forms that the original framework documents.
const routeList: FlagKind<string[]> = {
  allowed:
    'a list of paths separated by "|" or ",", in which ":name" is one segment and "*" or "{*name}" at the end is the rest',
  parse(value) {
    const routes = value.split(/[|,]/).map((route) => route.trim().replace(/^(?!\/)(?=.)/, "/"));
    const stated = routes.filter((route) => route !== "");
    return stated.every((route) => routePattern.test(route)) ? stated : undefined;
  },
};
const routePattern = /^(?:\/(?::\w+|[\w.~%!$&';=@+-]*))*?(?:\/?(?:\*\w*|\{\*\w+\}))?$/;

const both = ["serve", "dev"] as const;

export const flags = {
  target: {
    ...text,
    env: "FUNCTION_TARGET",
    defaultText: '"function", or the only function there is',
    help: "Name of the function to serve; dots walk into nested exports. Several with commas, * for all.",
    group: "Function",
    commands: ["serve"],
  },
  source: {
    ...text,
    env: "FUNCTION_SOURCE",
    defaultText: "the working folder",
    help: "File or folder of the module.",
    group: "Function",
    commands: ["serve"],
  },
  "signature-type": {
    ...oneOf("http", "cloudevent", "event", "typed", "openfunction"),
    env: "FUNCTION_SIGNATURE_TYPE",
    default: "http",
    help: "How the function is called; a registration in code wins.",
    group: "Function",
    commands: ["serve"],
  },
  import: {
    ...text,
    env: "FF_IMPORT",
    repeatable: true as const,
    help: "Module loaded before the function: a file, or a package of the working folder.",
    group: "Function",
    commands: ["serve"],
  },
  ts: {
    ...oneOf("auto", "off"),
    env: "FF_TS",
    default: "auto",
    help: "Transform TypeScript, or leave it to Node.",
    group: "Function",
    commands: ["serve"],
  },
  context: {
    ...text,
    env: "FUNC_CONTEXT",
    help: "Function context as JSON: runtime, inputs, outputs.",
    group: "Function",
    commands: ["serve"],
  },
  "context-v1beta2": {
    ...text,
    env: "FUNC_CONTEXT_V1BETA2",
    help: "Second function context, of OpenFunction 1.1 and later: hooks, tracing, readable inputs.",
    group: "Function",
    commands: ["serve"],
  },
  "inner-events": {
    ...onOff,
    env: "FF_INNER_EVENTS",
    default: false,
    help: "While tracing: wrap sent messages as OpenFunction's Go framework does, with the trace inside.",
    group: "Function",
    commands: ["serve"],
  },
  file: {
    ...text,
    alias: "f",
    repeatable: true as const,
    defaultText: "function.yaml, function.yml or every CR of the working folder",
    help: "Function CR, or a folder with some.",
    group: "Function",
    commands: ["dev"],
  },
  port: {
    ...port,
    env: "PORT",
    default: 8080,
    help: "Port to listen on; 0 is any free one.",
    group: "Server",
    commands: both,
  },
  host: {
    ...text,
    env: "FF_HOST",
    default: "::",
    help: "Address to listen on.",
    group: "Server",
    commands: ["serve"],
  },
  "body-limit": {
    ...bytes,
    env: "FF_BODY_LIMIT",
    default: 1024 ** 3,
    defaultText: "1gb",
    help: "Largest request body; above it 413.",
    group: "Server",
    commands: ["serve"],
  },
  "grace-period": {
    ...seconds,
    env: "FF_GRACE_PERIOD",
    default: 10,
    help: "Seconds to finish what is in flight after SIGTERM or SIGINT.",
    group: "Server",
    commands: both,
  },
  "body-mode": {
    ...oneOf("parse", "stream"),
    env: "FF_BODY_MODE",
    default: "parse",
    help: "stream: the body of an http function is not read before the function, for upload parsers.",
    group: "Server",
    commands: ["serve"],
  },
  timeout: {
    ...wholeSeconds,
    env: "CLOUD_RUN_TIMEOUT_SECONDS",
    default: 0,
    help: "Seconds until a request is answered 504 and its signal is aborted; 0 is off.",
    group: "Server",
    commands: ["serve"],
  },
  "max-concurrency": {
    ...count,
    env: "FF_MAX_CONCURRENCY",
    default: 0,
    help: "Invocations at once; above it requests are 429 and deliveries wait; 0 is unlimited.",
    group: "Server",
    commands: ["serve"],
  },
  queue: {
    ...count,
    env: "FF_QUEUE",
    default: 1000,
    help: "Deliveries that may wait for their turn.",
    group: "Server",
    commands: ["serve"],
  },
  retry: {
    ...retryRule,
    env: "FUNC_RETRY",
    defaultText: "off",
    help: "Attempts of a delivery inside of the process, and the pauses between, as JSON.",
    group: "Server",
    commands: ["serve"],
  },
  workers: {
    ...workerCount,
    env: "FF_WORKERS",
    default: 1,
    help: "Processes that share the port; auto: one for each processor.",
    group: "Server",
    commands: ["serve"],
  },
  "ignored-routes": {
    ...routeList,
    env: "IGNORED_ROUTES",
    emptyIsValue: true,
    defaultText: "/favicon.ico|/robots.txt, for http functions",
    help: 'Paths that are answered 404 without the function, separated by "|" or ","; empty: none.',
    group: "Server",
    commands: ["serve"],
  },
  health: {
    ...onOff,
    switch: true,
    env: "FF_HEALTH",
    default: false,
    help: "Serve /health/liveness and /health/readiness.",
    group: "Server",
    commands: ["serve"],
  },
  metrics: {
    ...onOff,
    switch: true,
    env: "FF_METRICS",
    default: false,
    help: "Serve Prometheus metrics at /metrics.",
    group: "Server",
    commands: ["serve"],
  },
  "dapr-port": {
    ...port,
    default: 3500,
    help: "Sidecar of the first function; the others get free ports.",
    group: "Local runtime",
    commands: ["dev"],
  },
  "mqtt-port": {
    ...port,
    default: 1883,
    help: "Embedded MQTT broker.",
    group: "Local runtime",
    commands: ["dev"],
  },
  brokers: {
    ...oneOf("embedded", "declared"),
    default: "embedded",
    help: "Use the embedded broker, or connect to those the CR names.",
    group: "Local runtime",
    commands: ["dev"],
  },
  redelivery: {
    ...oneOf("keep", "daprd"),
    default: "keep",
    help: "Keep a message until the function takes it, or give it up as daprd does.",
    group: "Local runtime",
    commands: ["dev"],
  },
  watch: {
    ...onOff,
    switch: true,
    default: true,
    help: "Start a function again when its files change. --no-watch: do not.",
    group: "Function",
    commands: ["dev"],
  },
  "env-file": {
    ...text,
    repeatable: true as const,
    help: "File with NAME=value lines for all functions.",
    group: "Function",
    commands: ["dev"],
  },
  "allowed-host": {
    ...hostName,
    repeatable: true as const,
    defaultText: "localhost, *.localhost and the addresses of this machine",
    help: "Name of a host that is answered too.",
    group: "Local runtime",
    commands: ["dev"],
  },
  json: {
    ...onOff,
    switch: true,
    default: false,
    help: "One JSON object a line on stdout, nothing else.",
    group: "Output",
    commands: ["dev"],
  },
  "log-execution-id": {
    ...exactlyTrue,
    switch: true,
    env: "LOG_EXECUTION_ID",
    default: false,
    help: "Write the function's output as JSON lines that carry the id of the invocation.",
    group: "Output",
    commands: ["serve"],
  },
  "log-format": {
    ...oneOf("pretty", "json"),
    env: "FF_LOG_FORMAT",
    defaultText: "pretty on a terminal and for dev, else json",
    help: "Form of the framework's own lines on stderr.",
    group: "Output",
    commands: both,
  },
  "log-level": {
    ...oneOf("debug", "info", "warn", "error"),
    env: "FF_LOG_LEVEL",
    default: "info",
    help: "Lines below this level are left out.",
    group: "Output",
    commands: both,
  },
  verbose: {
    ...onOff,
    switch: true,
    env: "FF_VERBOSE",
    default: false,
    help: "Show the framework's own stack frames with errors.",
    group: "Output",
    commands: both,
  },
} satisfies Record<string, Flag>;

export type FlagName = keyof typeof flags;
type ValueOf<F extends Flag> = F extends { default: unknown }
  ? Exclude<ReturnType<F["parse"]>, undefined>
  : F extends { repeatable: true }
    ? Exclude<ReturnType<F["parse"]>, undefined>[] | undefined
    : ReturnType<F["parse"]>;

/** The values of a command: undefined where nothing is given and there is no default. */
export type FlagValues = { [N in FlagName]: ValueOf<(typeof flags)[N]> };

/** The rows of one command. */
export function flagsOf(command: Command): [FlagName, Flag][] {
  return (Object.entries(flags) as [FlagName, Flag][]).filter(([, flag]) => flag.commands.includes(command));
}

const units: Record<string, number> = { "": 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };
const largest = 2 * 1024 ** 3; // a Buffer holds no more on every supported Node version

function parseBytes(value: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d+)?)\s*([kmg]?b)?$/i.exec(value.trim());
  const unit = units[match?.[2]?.toLowerCase() ?? ""];
  const size = match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
  return size <= largest ? size : undefined;
}
