/** Starts the processes of one function: where they listen, and where their output and their news go. */
import { frameworkError } from "../core/errors";
import { describeError, log } from "../core/log";
import { type NewsItem, publishItem } from "../telemetry/channels";
import { type Instance, InstanceStartError, type startInstance } from "./instance";
import type { FunctionLogs } from "./logs";
import type { SourceReport } from "./messages";
import type { Slot } from "./slot";
import type { SocketFolder } from "./sockets";
import type { ProcessSettings } from "./spec";

export interface ProcessHooks {
  /**
   * The process listens; it gets requests when this has resolved. A rejection ends it, as if it had not come up.
   */
  admit?(process: { function: string; instance: string; address: string }): Promise<void>;
  /** Its output, as it comes; nothing more is read before a returned promise is settled. */
  onOutput?(
    from: { function: string; instance: string },
    stream: "stdout" | "stderr",
    chunk: Buffer,
  ): Promise<unknown> | undefined;
  /** A process that is watched has loaded files, or found some missing. */
  onSources?(from: { function: string; instance: string }, sources: SourceReport): void;
}

export interface StartProcessOptions {
  start: typeof startInstance;
  hooks: ProcessHooks;
  logs: FunctionLogs;
  sockets: SocketFolder;
  settings: ProcessSettings;
  /** Seconds. */
  startTimeout: number;
}

/** Resolves when it may get requests. Error: InstanceStartError; nothing of it is left running then. */
export async function startProcess(
  slot: Slot,
  { start, hooks, logs, sockets, settings, startTimeout }: StartProcessOptions,
  signal: AbortSignal,
): Promise<Instance> {
  const { listen, ...process } = settings;
  const from = { function: settings.function, instance: slot.id };
  const instance = await start(
    { ...process, listen: addressOf(listen, sockets), startTimeout },
    {
      onSpawn: (pid) => slot.noteSpawn(pid),
      onNews(item) {
        if (item.channel === "invocation") slot.noteAnswer();
        publishItem({ ...item, data: { ...item.data, ...from } } as NewsItem);
      },
      onSources: (sources) => hooks.onSources?.(from, sources),
      onDropped: (count) =>
        log.warn(`${count} news of "${from.function}" were dropped: it makes more than can be told.`),
      onOutput(stream, chunk) {
        logs.write(slot.id, stream, chunk);
        return hooks.onOutput?.(from, stream, chunk);
      },
    },
    signal,
  ).catch((err) => {
    logs.endProcess(slot.id);
    throw err;
  });
  void instance.ended.then(() => logs.endProcess(slot.id));
  try {
    await Promise.race([hooks.admit?.({ ...from, address: instance.address }), refusedByEnd(instance, from)]);
    return { ...instance, stop: (grace) => stop(instance, sockets, grace) };
  } catch (err) {
    await instance.stop(0);
    throw err;
  }
}

// Never resolves: a process that is admitted is the owner's business.
async function refusedByEnd({ ended }: Instance, { function: name }: { function: string }): Promise<never> {
  const how = await ended;
  throw new InstanceStartError(describeError(frameworkError("FF_INSTANCE_EXITED", { function: name, how })));
}

// It has no lease any more.
function stop(instance: Instance, sockets: SocketFolder, grace: number): Promise<void> {
  const { address } = instance;
  if (address.startsWith("unix:")) sockets.release(address.slice("unix:".length));
  return instance.stop(grace);
}

function addressOf(listen: ProcessSettings["listen"], sockets: SocketFolder): string {
  if (listen === "unix") return `unix:${sockets.next()}`;
  return listen === "tcp" ? "tcp:127.0.0.1:0" : listen;
}
