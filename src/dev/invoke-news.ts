/** What the news tell of a call of `invoke`: its outcome and its sends. */
import { EventEmitter, once } from "node:events";

import { type InvocationNews, listen, type Outcome, type SendNews } from "../telemetry/channels";

export interface Told {
  /** For a topic the worst of its deliveries; null when not all have said within 30 s, or nobody is subscribed. */
  outcome: Outcome | null;
  sends: { output: string; ms: number; ok: boolean; status?: number }[];
}

const lateNews = 1_000; // ms after the answer: news comes in batches of 20 ms
const longestDelivery = 30_000; // ms

/** Of one invocation, by its id. */
export function watchInvocation(id: string) {
  const news = watch();
  return {
    /** `status` of the reply decides when no news comes: the function has not seen it. */
    async result(
      signal: AbortSignal,
      { isAsync, status }: { isAsync: boolean; status: number },
    ): Promise<Told> {
      const found = () => news.invocations.find((one) => one.id === id);
      await news.until(() => found() !== undefined, signal, lateNews);
      const isGood = status >= 200 && status <= 299;
      const [good, bad] = isAsync ? (["ack", "retry"] as const) : (["ok", "error"] as const);
      return { outcome: found()?.outcome ?? (isGood ? good : bad), sends: news.sendsOf([id]) };
    },
    stop: news.stop,
  };
}

export interface DeliveriesOptions {
  /** Of the event. */
  id: string;
  pubsub: string;
  /** Functions. */
  subscribers: readonly string[];
}

/** Of the first delivery to every subscriber. Invocations do not say their event: those of the topic meanwhile count. */
export function watchDeliveries({ id, pubsub, subscribers }: DeliveriesOptions) {
  const news = watch();
  const outcomes = new Map<string, Outcome>();
  const stop = listen("delivery", ({ function: name, ...one }) => {
    if (one.id !== id || one.component !== pubsub || outcomes.has(name)) return;
    outcomes.set(name, one.outcome);
    news.changed();
  });
  const isOfTopic = ({ function: name, trigger }: InvocationNews) =>
    subscribers.includes(name) && trigger.startsWith(`topic:${pubsub}/`);
  return {
    async result(signal: AbortSignal): Promise<Told> {
      await news.until(() => outcomes.size >= subscribers.length, signal, longestDelivery);
      const invocations = () => news.invocations.filter(isOfTopic);
      await news.until(() => invocations().length >= outcomes.size, signal, lateNews);
      const worst = (["retry", "drop", "ack"] as const).find((one) => [...outcomes.values()].includes(one));
      const isWhole = outcomes.size >= subscribers.length;
      return {
        outcome: isWhole ? (worst ?? null) : null,
        sends: news.sendsOf(invocations().map((one) => one.id)),
      };
    },
    stop() {
      stop();
      news.stop();
    },
  };
}

const mostKept = 1_000; // of each, meanwhile

function watch() {
  const events = new EventEmitter();
  const invocations: InvocationNews[] = [];
  const sends: SendNews[] = [];
  const changed = () => events.emit("change");
  const keep = <T>(list: T[], one: T) => {
    list.push(one);
    if (list.length > mostKept) list.shift();
    changed();
  };
  const stops = [
    listen("invocation", (one) => keep(invocations, one)),
    listen("send", (one) => keep(sends, one)),
  ];
  return {
    invocations,
    changed,
    /** Also resolves when the time is over, or the signal is aborted. */
    async until(condition: () => boolean, signal: AbortSignal, ms: number): Promise<void> {
      const end = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
      while (!condition() && !end.aborted)
        await once(events, "change", { signal: end }).catch(() => undefined); // the end
    },
    sendsOf: (ids: readonly string[]): Told["sends"] =>
      sends
        .filter(({ invocation }) => ids.includes(invocation))
        .map(({ output, ms, ok, status }) => ({ output, ms, ok, ...(status !== undefined && { status }) })),
    stop() {
      for (const stop of stops) stop();
    },
  };
}
