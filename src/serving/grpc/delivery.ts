/** Deliveries that came by a gRPC call: one message, or one of a bulk. */
import { messageOf } from "../../core/errors";
import { Invocation } from "../../core/invocation";
import { writeBindingReply, writeTopicStatus } from "../../dapr/callback-replies";
import type { BulkEntry, TopicStatus } from "../../dapr/protocol";
import type { Target } from "../../signatures/signature";
import type { Answer } from "../delivery";
import { InputDelivery, type Received } from "../input-delivery";
import { statusOf } from "../input-replies";
import { Input, type Route } from "../input-routes";
import type { GrpcCall } from "./call";
import { code } from "./status";

/** A message as a call brought it. */
export interface ReceivedByCall extends Received {
  /** Metadata that stands in the message. */
  metadata: Record<string, string>;
}

export class GrpcDelivery extends InputDelivery {
  protected readonly call: GrpcCall;

  constructor(target: Target, route: Route, call: GrpcCall, received: ReceivedByCall) {
    // A binding's metadata is in its message alone; what the headers of its call say is the protocol's.
    const headers = route.caller === "binding" ? {} : call.headers;
    super(target, route, new Input(route, { headers }, received.metadata), received);
    this.call = call;
  }

  open(): Invocation {
    return new Invocation(this.target.name, "openfunction", this.route.trigger, this.call);
  }

  isGone(): boolean {
    return this.call.closed;
  }

  onGone(listener: () => void): void {
    this.call.once("close", listener);
  }

  statusOf(word: Answer["word"]): number {
    return statusOf(word, this.route);
  }

  answer(answer: Answer): void {
    const { caller } = this.route;
    if (answer.word === "retry") return this.#answerRetry(answer);
    // To dapr-proxy every status is an acknowledgement, so DROP can be said to it too.
    if (caller !== "binding") this.call.answer(answer.word === "ack" ? success : drop);
    else this.call.answer(answer.word === "ack" ? writeBindingReply(answer.value?.bytes) : success);
  }

  #answerRetry({ error, unheard }: Extract<Answer, { word: "retry" }>): void {
    const { caller } = this.route;
    if (caller === "announced" && unheard !== "stopping") return this.call.answer(retry);
    const isHidden = this.target.production && unheard === undefined;
    const isAway = caller === "topic" || unheard !== undefined;
    const reason = isHidden ? "Internal Server Error" : messageOf(error);
    this.call.fail(isAway ? code.unavailable : code.internal, reason);
  }
}

const success = writeTopicStatus("SUCCESS"); // no bytes, as an empty BindingEventResponse
const retry = writeTopicStatus("RETRY");
const drop = writeTopicStatus("DROP");

const words = { ack: "SUCCESS", retry: "RETRY", drop: "DROP" } as const satisfies Record<
  Answer["word"],
  TopicStatus
>;

/** The deliveries of a bulk; `done` gets the outcomes when all are there. */
export function bulkDeliveries(
  target: Target,
  route: Route,
  call: GrpcCall,
  entries: readonly BulkEntry[],
  done: (statuses: { entryId: string; status: TopicStatus }[]) => void,
): GrpcDelivery[] {
  const statuses: { entryId: string; status: TopicStatus }[] = [];
  if (entries.length === 0) done(statuses);
  const settle = (entryId: string, { word }: Answer) => {
    statuses.push({ entryId, status: words[word] });
    if (statuses.length === entries.length) done(statuses);
  };
  return entries.map((entry) => new BulkDelivery(target, route, call, entry, settle));
}

class BulkDelivery extends GrpcDelivery {
  readonly #settle: (answer: Answer) => void;

  constructor(
    target: Target,
    route: Route,
    call: GrpcCall,
    entry: BulkEntry,
    settle: (entryId: string, answer: Answer) => void,
  ) {
    super(target, route, call, entry);
    this.#settle = (answer) => settle(entry.entryId, answer);
  }

  override statusOf(): number {
    return 200;
  }

  override answer(answer: Answer): void {
    this.#settle(answer);
  }
}
