/** What `dev` tells, as objects: the lines of `--json`, and what the screen is made of. */
import type { ErrorDescription } from "../core/log";
import type { DeliveryNews, InvocationNews, SendNews } from "../telemetry/channels";

export interface ReadyFunction {
  name: string;
  signature: string;
  url: string;
  pid: number;
  /** Its own Dapr address; null for a function that uses no component. */
  sidecar: string | null;
}

export interface ReadyBroker {
  component: string;
  type: string;
  mode: "embedded" | "declared" | "in-process";
  address: string | null;
}

export interface ReadyData {
  gateway: string | null;
  control: string | null;
  functions: ReadyFunction[];
  brokers: ReadyBroker[];
}

/** What each event carries. */
export interface DevEvents {
  ready: ReadyData;
  invocation: Omit<InvocationNews, "function" | "instance">;
  delivery: Omit<DeliveryNews, "function" | "instance">;
  send: Omit<SendNews, "function" | "instance">;
  /** `bytes` is what was written, for the screen; lines of `--json` have the text. */
  log: { stream: "stdout" | "stderr"; text: string; bytes?: Buffer };
  reload: { reason: string; files: string[]; pid: number; ms: number };
  error: ErrorDescription;
  stopped: { reason: string };
  /** For people only, no line of `--json`: a default port that was taken, a broker that is back. */
  notice: { text: string };
}

export type DevEventName = keyof DevEvents;

export type DevEvent = {
  [E in DevEventName]: { event: E; ts: string; function?: string; data: DevEvents[E] };
}[DevEventName];

export type DevListener = (event: DevEvent) => void;

export type Emit = <E extends DevEventName>(event: E, data: DevEvents[E], functionName?: string) => void;

export function createEmit(...listeners: DevListener[]): Emit {
  return (event, data, functionName) => {
    const item = {
      event,
      ts: new Date().toISOString(),
      ...(functionName !== undefined && { function: functionName }),
      data,
    };
    for (const listener of listeners) listener(item as DevEvent);
  };
}
