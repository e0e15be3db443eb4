/** The command line: which command, how failures are told, the exit code. */
import { createRequire } from "node:module";

import { asFrameworkError, frameworkError } from "../core/errors";
import { lazyRequire } from "../core/lazy";
import { exitCodes } from "../core/lifecycle";
import { logError } from "../core/log";
import { listed, mistyped, nearest } from "../core/suggest";

// Loaded when chosen: `serve` must not pay for what it does not use, nor for Node's ES module loader (10 ms).
const load = createRequire(__filename);
const commands: Record<string, (args: string[]) => Promise<void>> = {
  serve: (args) => runServe(args),
  dev: (args) => (load("./commands/dev.js") as typeof import("./commands/dev")).devCommand(args),
  completion: (args) => completion().completionCommand(args),
};

/** What the first word may be. */
const words = [...Object.keys(commands), "help"];

const runServe = (args: string[], warnings?: string[]) =>
  (load("./commands/serve.js") as typeof import("./commands/serve")).serveCommand(args, warnings);
const completion = () => load("./commands/completion.js") as typeof import("./commands/completion");

/** Runs one command; without a name it is `serve`. `--help` and `--version` work anywhere. */
export async function main(args: string[]): Promise<void> {
  // Whoever read our output is gone: no reason to end the function, and nothing to say it to.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const [first = ""] = args;
  const name = Object.hasOwn(commands, first) ? first : undefined;
  try {
    if (first === "--get-yargs-completions") return await completion().printCompletions(args.slice(1));
    if (first === "help" || args.some((arg) => arg === "--help" || arg === "-h"))
      return await help(first === "help" ? args[1] : first);
    if (args.includes("--version")) return printVersion();
    if (name === undefined) return await serve(args, first);
    await commands[name]?.(args.slice(1));
  } catch (err) {
    logError(asFrameworkError(err));
    process.exit(exitCodes.cannotStart);
  }
}

async function help(name: string | undefined): Promise<void> {
  const { printHelp } = await import("./help.js"); // yargs: 90 ms
  await printHelp(name !== undefined && Object.hasOwn(commands, name) ? name : undefined);
}

// Google's framework takes no notice of words, so scripts that have one must keep starting. One that is nearly a command
// is no such word: somebody wants that command, and not a server.
function serve(args: string[], first: string): Promise<void> {
  if (first === "" || first.startsWith("-")) return runServe(args);
  if (mistyped(first, words) !== undefined)
    throw frameworkError("FF_COMMAND_UNKNOWN", { command: first, known: words });
  const name = nearest(first, words);
  const hint = name === undefined ? `The commands are ${listed(words)}.` : `Did you mean "${name}"?`;
  return runServe(args.slice(1), [`"${first}" is no command and is ignored. ${hint}`]);
}

function printVersion(): void {
  const { version } = lazyRequire("../../package.json") as { version: string };
  process.stdout.write(`${version}\n`);
}
