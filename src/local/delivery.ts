/**
 * The delivery core, without a transport: a message is given to the app until the app has it. Between two attempts
 * it waits by itself and holds up no other. Until then the broker holds it as unacknowledged.
 */
import { setTimeout as sleep } from "node:timers/promises";

import type { TopicStatus } from "../dapr/protocol";
import { publish } from "../telemetry/channels";

export interface Backoff {
  /** Milliseconds before the second attempt. */
  initial: number;
  factor: number;
  /** Milliseconds at most. */
  max: number;
}

/** The rule of `--redelivery keep`: 1 s doubling to 30 s, for ever. */
export const keepBackoff: Backoff = { initial: 1_000, factor: 2, max: 30_000 };

export interface DeliveryOptions {
  /** Name of the function, for the news. */
  function: string;
  /** Resolves as soon as the app can be called. */
  whenReady(signal: AbortSignal): Promise<void>;
  backoff: Backoff;
  /** Ends every wait: what is not delivered stays with the broker. */
  signal: AbortSignal;
}

export interface DeliveryItem {
  id: string;
  component: string;
  topic: string;
  /** One attempt. A rejection is a failure of the transport: the app is tried again. */
  attempt(): Promise<TopicStatus>;
}

/** Resolves to how it ended; rejects when the runtime stops first. */
export type Deliver = (item: DeliveryItem) => Promise<"ack" | "drop">;

const outcomes = { SUCCESS: "ack", RETRY: "retry", DROP: "drop" } as const;

export function createDelivery({ function: name, whenReady, backoff, signal }: DeliveryOptions): Deliver {
  return async ({ id, component, topic, attempt: call }) => {
    let pause = backoff.initial;
    for (let attempt = 1; ; attempt++) {
      await whenReady(signal);
      const status = await call().catch((): TopicStatus => "RETRY");
      const outcome = outcomes[status];
      publish("delivery", { function: name, id, component, topic, attempt, outcome });
      if (outcome !== "retry") return outcome;
      await sleep(pause, undefined, { signal });
      pause = Math.min(pause * backoff.factor, backoff.max);
    }
  };
}
