/** What a worker and the process that started it say to each other over the IPC channel. */
import type { ChannelName, News } from "../telemetry/channels";

export interface ServedFunction {
  name: string;
  signature: string;
  /** Path below the address. */
  path: string;
}

export type NewsItem = { [C in ChannelName]: { channel: C; data: News[C] } }[ChannelName];

/** What a worker says when it cannot start: code and place are the user's. */
export interface StartFailure {
  code: string;
  message: string;
  place?: string;
  hint?: string;
  stack?: string;
}

export type WorkerMessage =
  | { type: "ready"; address: string; functions: ServedFunction[] }
  | ({ type: "failed" } & StartFailure)
  | { type: "news"; items: NewsItem[]; dropped?: number };

/** Finish what is in flight within `grace` seconds and end. */
export type ParentMessage = { type: "drain"; grace: number };
