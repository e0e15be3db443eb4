/** Many messages in one request (Dapr's bulk subscribe): each is a delivery, one answer lists their outcomes. */
import type { IncomingMessage, ServerResponse } from "node:http";

import type { BulkEntry, TopicStatus } from "../dapr/protocol";
import type { Target } from "../signatures/signature";
import type { Answer } from "./delivery";
import { HttpDelivery } from "./http-delivery";
import { replyBytes } from "./input-replies";
import type { Route } from "./input-routes";

interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
}

const words = { ack: "SUCCESS", retry: "RETRY", drop: "DROP" } as const satisfies Record<
  Answer["word"],
  TopicStatus
>;

/** The deliveries of a bulk. The request is answered when all of them are. */
export function bulkDeliveries(
  target: Target,
  route: Route,
  exchange: Exchange,
  entries: readonly BulkEntry[],
): HttpDelivery[] {
  const statuses: { entryId: string; status: TopicStatus }[] = [];
  const { res } = exchange;
  res.setMaxListeners(0); // each of them listens for its end
  const settle = (entryId: string, word: Answer["word"]) => {
    statuses.push({ entryId, status: words[word] });
    if (statuses.length === entries.length && !res.headersSent) replyStatuses(res, statuses);
  };
  if (entries.length === 0) replyStatuses(res, statuses);
  return entries.map((entry) => new BulkDelivery(target, route, exchange, entry, settle));
}

class BulkDelivery extends HttpDelivery {
  readonly #settle: (word: Answer["word"]) => void;

  constructor(
    target: Target,
    route: Route,
    exchange: Exchange,
    entry: BulkEntry,
    settle: (entryId: string, word: Answer["word"]) => void,
  ) {
    super(target, route, exchange, entry, entry.metadata);
    this.#settle = (word) => settle(entry.entryId, word);
  }

  override statusOf(): number {
    return 200;
  }

  override answer({ word }: Answer): void {
    this.#settle(word);
  }
}

function replyStatuses(res: ServerResponse, statuses: readonly object[]): void {
  replyBytes(res, 200, "application/json", JSON.stringify({ statuses }));
}
