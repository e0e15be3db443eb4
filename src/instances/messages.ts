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
  | ({ type: "sources" } & SourceReport);

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
  | { type: "begin"; folder: string; env: NodeJS.ProcessEnv };
