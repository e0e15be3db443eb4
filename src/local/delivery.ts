/**
 * The delivery core, without a transport: a message is given to the app until the app has it. Between two attempts
 * it waits by itself and holds up no other. Until then the broker holds it as unacknowledged.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { type BackoffRule, createBackoff } from "../core/backoff";
import { messageOf } from "../core/errors";
import { log } from "../core/log";
import type { TopicStatus } from "../dapr/protocol";
import { publish } from "../telemetry/channels";

/** Between the attempts of `--redelivery keep`: 1 s doubling to 30 s. */
export const keepBackoff: BackoffRule = { initial: 1_000, factor: 2, max: 30_000 };

export interface DeliveryOptions {
  /** Name of the function, for the news. */
  function: string;
  /** Resolves as soon as the app can be called. */
  whenReady(signal: AbortSignal): Promise<void>;
  backoff: BackoffRule;
  /** After so many attempts a message is given up: it stays with who brought it. Default: never. */
  maxAttempts?: number | undefined;
  /** What is given up goes to its dead letter topic, when it has one. */
  buriesGivenUp?: boolean;
  /** Ends every wait: what is not delivered stays with the broker. */
  signal: AbortSignal;
}

export interface DeliveryItem {
  id: string;
  component: string;
  topic: string;
  /** One attempt. A rejection is a failure of the transport: the app is tried again. */
  attempt(): Promise<TopicStatus>;
  /** What a drop means beside the end: the message goes to its dead letter topic. Tried until it is done. */
  onDrop?: (() => Promise<void>) | undefined;
}

/** Resolves when the message is done; rejects when the runtime stops first, or when it is given up. */
export type Deliver = (item: DeliveryItem) => Promise<void>;

const outcomes = { SUCCESS: "ack", RETRY: "retry", DROP: "drop" } as const;

export function createDelivery({
  function: name,
  whenReady,
  backoff: rule,
  maxAttempts = Number.POSITIVE_INFINITY,
  buriesGivenUp = false,
  signal,
}: DeliveryOptions): Deliver {
  return async ({ id, component, topic, attempt: call, onDrop }) => {
    const pause = createBackoff(rule);
    const fields = { function: name, component, topic, id };

    async function once(attempt: number): Promise<boolean> {
      await whenReady(signal);
      const status = await call().catch((err): TopicStatus => {
        // A throw of the function is told by the function; that the message does not even get there, nobody else knows.
        if (attempt === 1) log.warn(`A message cannot be handed to the function: ${messageOf(err)}`, fields);
        return "RETRY";
      });
      const outcome = outcomes[status];
      publish("delivery", { function: name, id, component, topic, attempt, outcome });
      if (outcome === "drop") await bury();
      return outcome !== "retry";
    }

    async function bury(): Promise<void> {
      for (;;) {
        try {
          return await onDrop?.();
        } catch (err) {
          log.warn(`A dropped message does not reach its dead letter topic yet: ${messageOf(err)}`, fields);
          await sleep(pause.next(), undefined, { signal });
        }
      }
    }

    for (let attempt = 1; !(await once(attempt)); attempt++) {
      if (attempt >= maxAttempts && buriesGivenUp && onDrop) return bury();
      if (attempt >= maxAttempts) throw new Error(`the app has not taken it at attempt ${attempt}`);
      await sleep(pause.next(), undefined, { signal });
    }
  };
}
