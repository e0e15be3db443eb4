/** What a worker and the process that started it say to each other over the IPC channel. */
import type { ErrorDescription } from "../core/log";
import type { SourceNews } from "../loading/source-recorder";
import type { ServedFunction } from "../serving/options";
import type { NewsItem } from "../telemetry/channels";

export type { NewsItem } from "../telemetry/channels";

export type WorkerMessage =
  | { type: "ready"; address: string; functions: ServedFunction[] }
  | ({ type: "failed" } & ErrorDescription)
  | { type: "news"; items: NewsItem[]; dropped?: number }
  | ({ type: "sources" } & SourceReport)
  | SharingMessage;

/** From workers that share one port. */
export type SharingMessage =
  /** The connection is the worker's now; so many that it had before are closed. */
  | { type: "taken"; id: number; closed: number }
  /** It is not the worker's, and another one is to have it. */
  | { type: "refused"; id: number }
  /** So many connections that it had taken are closed. */
  | { type: "closed"; count: number }
  /** It takes no more connections, finishes those it has, and ends with this code. */
  | { type: "leaving"; code: number }
  /** Its own metrics: asked for, or told by itself. */
  | { type: "metrics"; text: string }
  /** It wants the metrics of all. */
  | { type: "gather"; id: number };

/** What a module is made of, as far as it was loaded until now. */
export interface SourceReport extends SourceNews {
  /** What a spare worker should have ready for it. */
  needs: WarmUp[];
}

/** `serve`: requests over HTTP; `deliver`: a sidecar's; `typescript`: the transformer; `import`: what ES modules need. */
export type WarmUp = "serve" | "deliver" | "typescript" | "import";

export type ParentMessage =
  /** Finish what is in flight within `grace` seconds and end. */
  | { type: "drain"; grace: number }
  /** To a spare worker: be the process that would have been started with this. */
  | { type: "begin"; folder: string; env: NodeJS.ProcessEnv }
  /** With a socket: a connection to serve. */
  | { type: "connection"; id: number }
  /** Tell your metrics. */
  | { type: "measure" }
  /** The metrics of all, which were wanted. */
  | { type: "gathered"; id: number; text: string };

/** Whether a message, which may be the user's own, is one that only workers send that share a port. */
export function isSharingMessage(message: object): message is SharingMessage {
  const { type, ...fields } = message as Record<string, unknown>;
  if (type === "metrics") return typeof fields.text === "string";
  if (type === "taken" && typeof fields.closed !== "number") return false;
  const field = numberFields[type as keyof typeof numberFields];
  return field !== undefined && typeof fields[field] === "number";
}

const numberFields = {
  taken: "id",
  refused: "id",
  closed: "count",
  leaving: "code",
  gather: "id",
} as const;
