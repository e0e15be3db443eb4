/**
 * The names and payloads of all news. News travels up the floors through node:diagnostics_channel; publishing costs
 * nothing when nobody listens. A worker passes its news on to the process that started it.
 */
import { channel } from "node:diagnostics_channel";

/** `ok` and `error` for HTTP; `ack`, `retry` and `drop` for deliveries. */
export type Outcome = "ok" | "error" | "ack" | "retry" | "drop";

/** What all news has. */
interface AnyNews {
  function: string;
  /** Id of the instance, when it comes from another process. */
  instance?: string;
}

export interface InvocationNews extends AnyNews {
  id: string;
  signature: string;
  trigger: string;
  /** Milliseconds from arrival to answer. */
  ms: number;
  outcome: Outcome;
  /** HTTP status of the answer. */
  status: number;
  error?: string;
}

export interface SendNews extends AnyNews {
  /** Id of the invocation that sent. */
  invocation: string;
  output: string;
  ms: number;
  ok: boolean;
  /** Status of the sidecar's answer; absent when there was none. */
  status?: number;
}

export interface DeliveryNews extends AnyNews {
  id: string;
  component: string;
  topic: string;
  attempt: number;
  outcome: "ack" | "retry" | "drop";
}

/** What the payload of each channel is. */
export interface News {
  invocation: InvocationNews;
  send: SendNews;
  delivery: DeliveryNews;
}

export type ChannelName = keyof News;

/** One piece of news with its channel, as it travels between processes. */
export type NewsItem = { [C in ChannelName]: { channel: C; data: News[C] } }[ChannelName];

const channels = {
  invocation: channel("openfunction.functions-framework:invocation"),
  send: channel("openfunction.functions-framework:send"),
  delivery: channel("openfunction.functions-framework:delivery"),
};

export const channelNames = Object.keys(channels) as ChannelName[];

/** False when nobody listens: the caller need not even build the payload. */
export function hasListeners(name: ChannelName): boolean {
  return channels[name].hasSubscribers;
}

export function publish<C extends ChannelName>(name: C, news: News[C]): void {
  channels[name].publish(news);
}

/** Publishes again what another process has told. */
export function publishItem({ channel: name, data }: NewsItem): void {
  channels[name].publish(data);
}

/** Listens to one channel; the returned function ends it. */
export function listen<C extends ChannelName>(name: C, listener: (news: News[C]) => void): () => void {
  const receive = (message: unknown) => listener(message as News[C]);
  channels[name].subscribe(receive);
  return () => channels[name].unsubscribe(receive);
}
