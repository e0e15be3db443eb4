/** The control API of a session, and the file by which other commands find it. */
import { startControl } from "../control/server";
import { type LeftState, leaveState } from "../control/state-file";
import { asFrameworkError, type FrameworkError } from "../core/errors";
import { frameworkVersion } from "../core/version";
import { type ControlRoutesOptions, controlRoutes } from "./control-routes";
import type { Emit } from "./events";
import { countInvocations } from "./invocation-counts";

export interface SessionControlOptions extends Omit<ControlRoutesOptions, "counts"> {
  /** The working folder: the session is found by it. */
  folder: string;
  /** Names that a Host may say beside those of this machine. */
  allowedHosts: readonly string[] | undefined;
  emit: Emit;
}

export interface SessionControl {
  url: string;
  /** The session is ready: from now on it is found. Returns why it is not, without which all else works: FF_STATE_FILE. */
  announce(): FrameworkError | undefined;
  /** It is not found any more. Twice is fine. */
  withdraw(): void;
  stop(): Promise<void>;
}

/** Listens on any port of loopback. */
export async function startSessionControl(options: SessionControlOptions): Promise<SessionControl> {
  const { folder, emit, allowedHosts } = options;
  const counts = countInvocations();
  const port = { port: 0, explicit: false, flag: "--control" };
  const server = await startControl({ routes: controlRoutes({ ...options, counts }), port, allowedHosts });
  let state: LeftState | undefined;
  const withdraw = () => state?.remove();
  process.on("exit", withdraw); // also when nobody had the time to stop it

  return {
    url: server.url,
    announce() {
      try {
        state = leaveState(folder, { pid: process.pid, control: server.url, version: frameworkVersion() });
      } catch (err) {
        return asFrameworkError(err);
      }
      const { pid, control } = state.replaced ?? {};
      const text = `Process ${pid} runs for this folder too. Other commands find this one now, not ${control}.`;
      if (pid !== undefined) emit("notice", { text });
      return undefined;
    },
    withdraw,
    async stop() {
      withdraw();
      process.off("exit", withdraw);
      counts.stop();
      await server.stop();
    },
  };
}
