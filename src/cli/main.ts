/** The command line: which command, how failures are told, the exit code. */
import { createRequire } from "node:module";

import { asFrameworkError, frameworkError } from "../core/errors";
import { lazyRequire } from "../core/lazy";
import { exitCodes } from "../core/lifecycle";
import { logError } from "../core/log";

// Loaded when chosen: `serve` must not pay for what it does not use, nor for Node's ES module loader (10 ms).
const load = createRequire(__filename);
const commands: Record<string, (args: string[]) => Promise<void>> = {
  serve: (args) => (load("./commands/serve.js") as typeof import("./commands/serve")).serveCommand(args),
  dev: (args) => (load("./commands/dev.js") as typeof import("./commands/dev")).devCommand(args),
  completion: (args) => completion().completionCommand(args),
};

const completion = () => load("./commands/completion.js") as typeof import("./commands/completion");

/** Runs one command; without a name it is `serve`. `--help` and `--version` work anywhere. */
export async function main(args: string[]): Promise<void> {
  // Whoever read our output is gone: no reason to end the function, and nothing to say it to.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const [first = ""] = args;
  const isNamed = first !== "" && !first.startsWith("-");
  const name = isNamed ? first : "serve";
  const rest = isNamed ? args.slice(1) : args;
  try {
    if (first === "--get-yargs-completions") return await completion().printCompletions(args.slice(1));
    if (args.some((arg) => arg === "--help" || arg === "-h")) {
      const { printHelp } = await import("./help.js"); // yargs: 90 ms
      return await printHelp(isNamed ? name : undefined);
    }
    if (args.includes("--version")) return printVersion();
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw frameworkError("FF_COMMAND_UNKNOWN", { command: name, known: Object.keys(commands) });
    await command(rest);
  } catch (err) {
    logError(asFrameworkError(err));
    process.exit(exitCodes.cannotStart);
  }
}

function printVersion(): void {
  const { version } = lazyRequire("../../package.json") as { version: string };
  process.stdout.write(`${version}\n`);
}
