/** `functions-framework dev`: runs Function CRs on this machine. */
import { once } from "node:events";
import { resolve } from "node:path";

import { type FrameworkError, frameworkError } from "../../core/errors";
import { type FlagName, flagsOf } from "../../core/flags";
import { createLifecycle, exitCodes } from "../../core/lifecycle";
import { configureLog, describeError } from "../../core/log";
import { untilWritten } from "../../core/output";
import type { PortWish } from "../../core/ports";
import { logSettingsOf, type ParsedFlags, resolveFlags } from "../../core/read-flags";
import { createEmit } from "../../dev/events";
import { createFeed } from "../../dev/feed";
import { makePlan } from "../../dev/plan";
import { startSession } from "../../dev/session";
import { failureOf } from "../../instances/instance";
import { readManifests } from "../../manifest/read";
import { parserFor } from "../help";
import { createJsonListener } from "../json-lines";
import { showEvent } from "../screen";

export async function devCommand(args: string[]): Promise<void> {
  const { values, explicit, problems } = await readDevFlags(args);
  configureLog(logSettingsOf("dev", values));
  const feed = createFeed();
  const emit = createEmit(values.json ? createJsonListener() : showEvent, feed.tell);
  if (problems.length > 0) return refuse(problems);
  const lifecycle = createLifecycle({ signals: ["SIGTERM", "SIGINT", "SIGHUP"] });
  lifecycle.limit(() => values["grace-period"] + 4); // an instance has 2 s more than that, and the broker must close
  process.stdout.on("error", () => void lifecycle.stop("nobody reads the output any more"));
  const cwd = process.cwd();
  const read = () => readManifests({ paths: values.file, cwd, env: process.env });
  const manifests = read();
  const plan = makePlan(manifests, cwd);
  if (plan.problems.length > 0) return refuse(plan.problems);

  function refuse(errors: readonly FrameworkError[]): Promise<never> {
    for (const err of errors) emit("error", describeError(err));
    return exit(exitCodes.cannotStart);
  }

  const session = startSession({
    plan,
    folder: cwd,
    brokers: values.brokers,
    redelivery: values.redelivery,
    ports: {
      http: wish("port", values.port, explicit),
      dapr: wish("dapr-port", values["dapr-port"], explicit),
      mqtt: wish("mqtt-port", values["mqtt-port"], explicit),
    },
    allowedHosts: values["allowed-host"],
    watch: values.watch ? { files: manifests.files, replan: () => makePlan(read(), cwd) } : undefined,
    envFiles: (values["env-file"] ?? []).map((file) => resolve(file)),
    gracePeriod: values["grace-period"],
    env: process.env,
    emit,
    feed,
    room: createRoom(process.stdout),
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
  const known = flagsOf("dev").map(([name]) => name);
  const usage: FrameworkError[] = [];
  const given = await parserFor("dev")
    .fail((message, err) => {
      if (err) throw err;
      usage.push(usageError(message, known));
    })
    .parseAsync(args);
  for (const extra of given._ ?? [])
    usage.push(frameworkError("FF_OPTION_UNKNOWN", { flag: String(extra), command: "dev", known: ["-f"] }));
  const stated = flagsOf("dev").map(([name, flag]): [FlagName, unknown] => {
    const value = given[name];
    return [name, Array.isArray(value) && !flag.repeatable ? value.at(-1) : value];
  });
  const parsed = resolveFlags("dev", new Map(stated), process.env);
  return { ...parsed, problems: [...usage, ...parsed.problems] };
}

function usageError(message: string, known: string[]): FrameworkError {
  const unknown = /[Uu]nknown arguments?: ([^,\s]+)/.exec(message)?.[1];
  if (unknown) return frameworkError("FF_OPTION_UNKNOWN", { flag: unknown, command: "dev", known });
  const incomplete = /arguments following: ([^,\s]+)/.exec(message)?.[1];
  return frameworkError("FF_OPTION_VALUE_MISSING", { flag: incomplete ? `--${incomplete}` : message });
}

function wish(flag: FlagName, port: number, explicit: ReadonlySet<FlagName>): PortWish {
  return { port, explicit: explicit.has(flag), flag: `--${flag}` };
}

// One wait for all functions. A reader that goes away makes room too: it is the end of the session.
function createRoom(stream: NodeJS.WriteStream): () => Promise<unknown> | undefined {
  let draining: Promise<unknown> | undefined;
  return () => {
    if (!stream.writableNeedDrain) return undefined;
    draining ??= once(stream, "drain")
      .catch(() => undefined)
      .finally(() => {
        draining = undefined;
      });
    return draining;
  };
}

async function exit(code: number): Promise<never> {
  await untilWritten();
  process.exit(code);
}
