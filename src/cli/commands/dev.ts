/** `functions-framework dev`: runs Function CRs on this machine. */
import { frameworkError } from "../../core/errors";
import { type FlagName, flagsOf } from "../../core/flags";
import { createLifecycle, exitCodes } from "../../core/lifecycle";
import { configureLog, describeError } from "../../core/log";
import type { PortWish } from "../../core/ports";
import { type ParsedFlags, resolveFlags } from "../../core/read-flags";
import { createEmit } from "../../dev/events";
import { failureOf } from "../../dev/function-run";
import { makePlan } from "../../dev/plan";
import { startSession } from "../../dev/session";
import { readManifests } from "../../manifest/read";
import { parserFor } from "../help";
import { createJsonListener } from "../json-lines";
import { showEvent } from "../screen";

export async function devCommand(args: string[]): Promise<void> {
  const { values, explicit } = await readDevFlags(args).catch((err) => {
    configureLog({ format: "pretty" });
    const json = args.findLast((arg) => /^--json(=|$)/.test(arg)) ?? "--json=false";
    createEmit(json !== "--json=false" ? createJsonListener() : showEvent)("error", describeError(err));
    return exit(exitCodes.cannotStart);
  });
  const emit = createEmit(values.json ? createJsonListener() : showEvent);
  const lifecycle = createLifecycle({ signals: ["SIGTERM", "SIGINT", "SIGHUP"] });
  const cwd = process.cwd();
  const plan = makePlan(
    readManifests({ paths: values.file as string[] | undefined, cwd, env: process.env }),
    cwd,
  );
  if (plan.problems.length > 0) {
    for (const problem of plan.problems) emit("error", describeError(problem));
    return exit(exitCodes.cannotStart);
  }
  const session = startSession({
    plan,
    brokers: values.brokers,
    ports: {
      http: wish("port", values.port, explicit),
      dapr: wish("dapr-port", values["dapr-port"], explicit),
      mqtt: wish("mqtt-port", values["mqtt-port"], explicit),
    },
    gracePeriod: values["grace-period"],
    env: process.env,
    emit,
  });
  lifecycle.onStop(() => session.stop("a signal asked for it"));
  try {
    await session.ready;
  } catch (err) {
    if (lifecycle.isStopping) return; // the start was interrupted: that is no error
    emit("error", failureOf(err));
    await session.stop("it cannot start");
    return exit(exitCodes.cannotStart);
  }
}

async function readDevFlags(args: string[]): Promise<ParsedFlags> {
  const known = flagsOf("dev");
  const given = await parserFor("dev")
    .fail((message, err) => {
      throw (
        err ??
        usageError(
          message,
          known.map(([name]) => name),
        )
      );
    })
    .parseAsync(args);
  const [extra] = given._;
  if (extra !== undefined)
    throw frameworkError("FF_OPTION_UNKNOWN", { flag: String(extra), command: "dev", known: ["-f"] });
  const stated = known.map(([name, flag]): [FlagName, unknown] => {
    const value = given[name];
    return [name, Array.isArray(value) && !flag.repeatable ? value.at(-1) : value];
  });
  return resolveFlags("dev", new Map(stated), process.env);
}

function usageError(message: string, known: string[]): Error {
  const flag = /[Uu]nknown arguments?: ([^,\s]+)/.exec(message)?.[1];
  if (flag) return frameworkError("FF_OPTION_UNKNOWN", { flag, command: "dev", known });
  return frameworkError("FF_OPTION_INVALID", { flag: message, value: "", allowed: "usable" });
}

function wish(flag: FlagName, port: number, explicit: ReadonlySet<FlagName>): PortWish {
  return { port, explicit: explicit.has(flag), flag: `--${flag}` };
}

// What was written to a pipe must be out before the process ends.
function exit(code: number): Promise<never> {
  return new Promise(() => {
    process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
  });
}
