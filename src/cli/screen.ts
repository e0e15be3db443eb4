/** `dev` for people: framework lines on stderr, the user's own output untouched. */
import { relative } from "node:path";

import { type ErrorDescription, indent, log } from "../core/log";
import type { DevEvent, ReadyData } from "../dev/events";

/** Prints one event. */
export function showEvent({ event, ts, function: name = "", data }: DevEvent): void {
  const time = new Date(ts).toTimeString().slice(0, 8);
  switch (event) {
    case "ready":
      return write(readyScreen(data));
    case "log":
      return void process[data.stream].write(data.bytes ?? data.text);
    case "invocation":
      return write(
        `${time}  ${name}  ${data.trigger}  ${data.outcome}${data.trigger === "http" ? ` ${data.status}` : ""}  ${milliseconds(data.ms)}`,
      );
    case "delivery":
      // A first attempt that went well is told by its invocation.
      if (data.attempt > 1 || data.outcome === "drop") {
        write(`${time}  ${name}  ${data.component}/${data.topic}  attempt ${data.attempt}: ${data.outcome}`);
      }
      return;
    case "send":
      if (!data.ok)
        write(`${time}  ${name}  send to ${data.output} failed${data.status ? ` with ${data.status}` : ""}`);
      return;
    case "reload":
      if (data.files.length > 0)
        return write(`${time}  ${name}  reloaded in ${milliseconds(data.ms)}: ${namesOf(data.files)}`);
      return write(
        `${time}  ${name}  started again after ${data.reason} (pid ${data.pid}, ${milliseconds(data.ms)})`,
      );
    case "error":
      return write(errorText(data));
    case "notice":
      return log.info(data.text);
    case "stopped":
      return log.info(`Stopped: ${data.reason}.`);
  }
}

const named = 3;

function namesOf(files: readonly string[]): string {
  const names = files.slice(0, named).map((file) => relative(process.cwd(), file));
  return files.length > named ? `${names.join(", ")} and ${files.length - named} more` : names.join(", ");
}

/** Code and sentence, with the place in front as editors and compilers write it. */
function errorText({ code, message, place, hint, stack }: ErrorDescription): string {
  const lines = [`${place ? `${place} ` : ""}${code} ${message}`];
  if (stack) lines.push(indent(stack));
  if (hint) lines.push(`  ${hint}`);
  return lines.join("\n");
}

function readyScreen({ gateway, control, functions, brokers }: ReadyData): string {
  const lines = ["", "Ready. Stop with Ctrl-C.", ""];
  for (const { name, signature, url, pid, sidecar } of functions) {
    lines.push(`  ${name}  (${signature}, pid ${pid})`, `    function  ${url}`);
    if (sidecar) lines.push(`    sidecar   ${sidecar}`);
  }
  if (brokers.length > 0) lines.push("", "  components");
  for (const { component, type, mode, address } of brokers) {
    lines.push(`    ${component}  ${type}  ${mode}${address ? `  ${address}` : ""}`);
  }
  lines.push("");
  if (gateway) lines.push(`  gateway  ${gateway}`);
  if (control) lines.push(`  control  ${control}`);
  return [...lines, ""].join("\n");
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function write(text: string): void {
  process.stderr.write(`${text}\n`);
}
