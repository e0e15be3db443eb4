/** What a worker and the process that started it say to each other over the IPC channel. */
import type { ErrorDescription } from "../core/log";
import type { ServedFunction } from "../serving/options";
import type { NewsItem } from "../telemetry/channels";

export type { NewsItem } from "../telemetry/channels";

export type WorkerMessage =
  | { type: "ready"; address: string; functions: ServedFunction[] }
  | ({ type: "failed" } & ErrorDescription)
  | { type: "news"; items: NewsItem[]; dropped?: number };

/** Finish what is in flight within `grace` seconds and end. */
export type ParentMessage = { type: "drain"; grace: number };
