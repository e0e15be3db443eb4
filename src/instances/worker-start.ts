/** Starts the workers that share a port, and is their other end: connections, metrics, their leaving. */
import type { Socket } from "node:net";

import type { Clock } from "../core/clock";
import { background, exitCodes } from "../core/lifecycle";
import { createGather, type Gather } from "./gather";
import { createHandover, type Handover } from "./handover";
import { type Instance, type InstanceEvents, startInstance } from "./instance";
import type { SharingMessage } from "./messages";
import type { Relay, RelaySource } from "./relay";

export interface WorkerStartOptions {
  /** Arguments of the command. */
  args: readonly string[];
  /** Workers that there should be. */
  count: number;
  /** Seconds that one which leaves by itself has. */
  grace: number;
  clock: Clock;
  refuse(connection: Socket): void;
  /** Where the workers' output goes; undefined: to where ours goes. */
  output: Record<"stdout" | "stderr", Relay | undefined>;
}

export interface WorkerStart {
  /** In place of the supervisor's own. */
  start: typeof startInstance;
  handover: Handover<Socket>;
  /** How the process that ended last did it; `saidWhy`: by a message before. */
  lastExit(): { code: number | null; saidWhy: boolean };
  onCrashAtStop(listener: () => void): void;
  /** Resolves when those have ended that were leaving already, and the output of all is written. */
  stop(): Promise<void>;
  killAll(signal: NodeJS.Signals): void;
}

/** The other end of one worker. */
interface Member {
  give(id: number, connection: Socket): void;
  measure(): void;
}

export function createWorkerStart({
  args,
  count,
  grace,
  clock,
  refuse,
  output,
}: WorkerStartOptions): WorkerStart {
  const handover = createHandover<Socket>({ clock, refuse });
  const gather = createGather<Member>({ clock });
  const pids = new Set<number>();
  const leaving = new Set<Instance>();
  let starts = 0;
  const ways = { stdout: wayOf(output.stdout), stderr: wayOf(output.stderr) };
  let lastExit = { code: null as number | null, saidWhy: false };
  let onCrash: () => void = () => undefined;

  const start: typeof startInstance = async (spec, events, signal) => {
    const isFirst = starts++ === 0;
    let pid = 0;
    let instance: Instance | undefined;
    let noteLeaving: (how: string) => void = () => undefined;
    const left = new Promise<string>((resolve) => {
      noteLeaving = resolve;
    });
    const member: Member = {
      give: (id, connection) => instance?.tell({ type: "connection", id }, connection),
      measure: () => instance?.tell({ type: "measure" }),
    };
    const onSharing = (message: SharingMessage) => {
      if (message.type === "gather") void answer(message.id);
      else if (message.type === "leaving") {
        handover.leave(member);
        if (!instance) return;
        background(instance.stop(grace)); // it may be blocked before it ends
        if (leaving.size >= count) return;
        leaving.add(instance);
        noteLeaving(`exit code ${message.code}`); // another one starts while it finishes
      } else pass(message, member, handover, gather);
    };
    const own = relayed(output);
    const answer = async (id: number) => instance?.tell({ type: "gathered", id, text: await gather.text() });

    try {
      instance = await startInstance(
        { ...spec, args, output: ways, env: { ...spec.env, FF_SHARING: isFirst ? "first" : "quiet" } },
        {
          ...events,
          ...own.events,
          onSharing,
          onSpawn(spawned) {
            pid = spawned;
            pids.add(pid);
            own.open();
            events.onSpawn?.(pid);
          },
          onExit(code) {
            pids.delete(pid);
            lastExit = { code, saidWhy: false };
            if (code === exitCodes.crashed) onCrash();
          },
        },
        signal,
      );
    } catch (err) {
      lastExit.saidWhy = (err as { isFinal?: boolean }).isFinal === true;
      throw err;
    }
    const running = instance;
    gather.join(member);
    handover.join(member);
    void running.ended.then(() => {
      leaving.delete(running);
      handover.lose(member);
      gather.leave(member);
    });
    return { ...running, ended: Promise.race([running.ended, left]) };
  };

  return {
    start,
    handover,
    lastExit: () => lastExit,
    onCrashAtStop(listener) {
      onCrash = listener;
    },
    async stop() {
      await Promise.all([...leaving].map((instance) => instance.ended));
      await Promise.all([output.stdout?.settled(), output.stderr?.settled()]);
    },
    killAll(signal) {
      for (const pid of pids) kill(pid, signal);
    },
  };
}

const wayOf = (relay: Relay | undefined): "pipe" | "inherit" => (relay ? "pipe" : "inherit");

/** The output of one process; `open` when there is one. */
function relayed({ stdout, stderr }: WorkerStartOptions["output"]) {
  const sources: { stdout?: RelaySource | undefined; stderr?: RelaySource | undefined } = {};
  return {
    open() {
      sources.stdout = stdout?.open();
      sources.stderr = stderr?.open();
    },
    events: {
      onOutput: (stream, chunk) => sources[stream]?.write(chunk),
      onOutputEnd: (stream) => sources[stream]?.end(),
    } satisfies Partial<InstanceEvents>,
  };
}

function pass(
  message: Exclude<SharingMessage, { type: "gather" | "leaving" }>,
  member: Member,
  handover: Handover<Socket>,
  gather: Gather<Member>,
): void {
  if (message.type === "metrics") gather.told(member, message.text);
  else if (message.type === "closed") handover.closed(member, message.count);
  else if (message.type === "refused") handover.refused(member, message.id);
  else {
    handover.closed(member, message.closed);
    handover.taken(member, message.id);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}
