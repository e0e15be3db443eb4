/** Help for every command, made by yargs from the table in core/flags. */
import yargs from "yargs";

import { type Command, type Flag, flagsOf } from "../core/flags";

export const commandTexts: Record<Command | "completion", string> = {
  serve:
    "Serve one function over HTTP, or as Dapr's callback when FUNC_CONTEXT says runtime Async (the default command)",
  dev: "Run Function CRs on this machine, with an embedded Dapr runtime and MQTT broker",
  completion: "Print the completion script of bash or zsh",
};

const examples: Record<Command, [string, string][]> = {
  serve: [
    ["$0 --target=hello", "serve the export `hello` of this folder's module on port 8080"],
    [
      "$0 --target=stored --signature-type=cloudevent --port=9000",
      "serve a CloudEvents function on port 9000",
    ],
  ],
  dev: [
    ["$0 dev -f function.yaml", "run the functions of a file"],
    ["$0 dev -f a.yaml -f b.yaml --brokers declared", "use the brokers the CRs name"],
  ],
};

const exitCodesText =
  "Exit codes: 0 ended well, 1 cannot start, 16 the function crashed the process, 128+n at a second signal.";

/** A yargs parser that knows the options of one command. */
export function parserFor(command: Command) {
  const parser = yargs([])
    .scriptName("functions-framework")
    .version(false)
    .help(false)
    .exitProcess(false)
    .strictOptions();
  for (const [name, flag] of flagsOf(command)) parser.option(name, optionOf(flag));
  return parser;
}

export async function printHelp(name?: string): Promise<void> {
  if (name === "completion") return printCompletionHelp();
  const command: Command = name === "dev" ? "dev" : "serve";
  const parser = parserFor(command)
    .usage(`$0 ${command === "serve" ? "[serve]" : command} [options]\n\n${commandTexts[command]}.`)
    .epilogue(`${exitCodesText}\nA flag wins over its environment variable, which wins over the default.`)
    .wrap(Math.min(110, process.stdout.columns || 110))
    .option("help", { alias: "h", type: "boolean", describe: "Show this text.", group: "Output:" })
    .option("version", { type: "boolean", describe: "Show the version.", group: "Output:" });
  if (name === undefined) {
    for (const [other, text] of Object.entries(commandTexts)) parser.command(other, text);
  }
  for (const [line, text] of examples[command]) parser.example(line, text);
  process.stdout.write(`${await parser.getHelp()}\n`);
}

function printCompletionHelp(): void {
  process.stdout.write(
    `functions-framework completion [bash|zsh]\n\n${commandTexts.completion}. Default: your shell's.\n\n` +
      "Example:\n  source <(functions-framework completion bash)\n",
  );
}

function optionOf(flag: Flag) {
  const twin = flag.env ? ` [env: ${flag.env}]` : "";
  return {
    describe: `${flag.help}${twin}`,
    group: `${flag.group}:`,
    // Values are read by the table's own rules, so yargs hands on the text.
    type: flag.switch ? ("boolean" as const) : ("string" as const),
    ...(flag.alias && { alias: flag.alias }),
    ...(flag.repeatable && { array: true, nargs: 1 }),
    ...(!flag.switch && { requiresArg: true }),
    defaultDescription:
      flag.defaultText ??
      (flag.default === undefined || flag.default === false ? undefined : String(flag.default)),
  };
}
