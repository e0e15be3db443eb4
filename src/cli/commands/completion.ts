/** `functions-framework completion [bash|zsh]`: prints a script for the shell, which asks back at every Tab. */
import { frameworkError } from "../../core/errors";
import { type Command, flagsOf } from "../../core/flags";
import { commandTexts, parserFor } from "../help";

const shells = ["bash", "zsh"];

export async function completionCommand([shell, ...more]: string[]): Promise<void> {
  if ((shell !== undefined && !shells.includes(shell)) || more.length > 0) {
    const flag = more[0] ?? shell ?? "";
    throw frameworkError("FF_OPTION_UNKNOWN", { flag, command: "completion", known: shells });
  }
  // yargs looks at the user's shell to choose the form of the script.
  if (shell !== undefined) process.env.SHELL = shell;
  if (shell === "bash") delete process.env.ZSH_NAME;
  const parser = parserFor("serve") as unknown as ScriptPrinter;
  parser.showCompletionScript("functions-framework", "completion");
}

// The published types lack the parameters.
interface ScriptPrinter {
  showCompletionScript(name: string, command: string): void;
}

/** What the script asks: the words typed so far, the command's own name first. */
export async function printCompletions([, ...words]: string[]): Promise<void> {
  const [first = ""] = words;
  const command: Command = first === "dev" && words.length > 1 ? "dev" : "serve";
  const parser = parserFor(command).completion();
  for (const [name, { choices }] of flagsOf(command)) if (choices) parser.option(name, { choices });
  if (words.length <= 1) {
    for (const [name, text] of Object.entries(commandTexts)) parser.command(name, text);
  }
  const found = new Set(await parser.getCompletion(words));
  process.stdout.write([...found].map((word) => `${word}\n`).join(""));
}
