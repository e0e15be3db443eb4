/** Bulk subscriptions: messages are gathered and delivered in one request, and each has a status of its own. */
import { randomUUID } from "node:crypto";

import { bulkType, type TopicStatus } from "../dapr/protocol";

/** As the app asks for it. Dapr's defaults: 100 messages, 1 s. */
export interface BulkRule {
  maxMessagesCount: number;
  maxAwaitDurationMs: number;
}

/** One message, as it stands in the request. */
export interface BulkMessage {
  /** A CloudEvent, or the bytes in base64. */
  event: unknown;
  contentType: string;
  metadata: Record<string, string>;
}

export interface BulkOptions extends BulkRule {
  pubsub: string;
  topic: string;
  /** Posts one request, and says what the app answers to each entry; one that it leaves out is to be tried again. */
  post(body: Buffer): Promise<ReadonlyMap<string, TopicStatus>>;
}

interface Waiting extends BulkMessage {
  entryId: string;
  resolve(status: TopicStatus): void;
  reject(reason: unknown): void;
}

/** Resolves to the status of the message when its request is answered. */
export type Gather = (message: BulkMessage) => Promise<TopicStatus>;

export function createBulk({
  pubsub,
  topic,
  maxMessagesCount,
  maxAwaitDurationMs,
  post,
}: BulkOptions): Gather {
  let waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = [];
    post(bodyOf(batch)).then(
      (statuses) => {
        for (const { entryId, resolve } of batch) resolve(statuses.get(entryId) ?? "RETRY");
      },
      (err) => {
        for (const { reject } of batch) reject(err);
      },
    );
  }

  function bodyOf(batch: readonly Waiting[]): Buffer {
    const entries = batch.map(({ entryId, event, contentType, metadata }) => ({
      entryId,
      event,
      contentType,
      metadata,
    }));
    const body = { id: randomUUID(), type: bulkType, topic, pubsubname: pubsub, metadata: {}, entries };
    return Buffer.from(JSON.stringify(body));
  }

  return (message) =>
    new Promise((resolve, reject) => {
      waiting.push({ ...message, entryId: randomUUID(), resolve, reject });
      if (waiting.length >= maxMessagesCount) flush();
      else timer ??= setTimeout(flush, maxAwaitDurationMs).unref();
    });
}
