/** Deliveries that came by a gRPC call: one message, or one of a bulk. */
import { messageOf } from "../../core/errors";
import { Invocation } from "../../core/invocation";
import { bytesOfEvent } from "../../dapr/callback-events";
import { writeBindingReply, writeTopicStatus } from "../../dapr/callback-replies";
import type { BulkEntry, DeliveredEvent, TopicStatus } from "../../dapr/protocol";
import type { CloudEvent, InvocationInput } from "../../functions/types";
import type { Origin } from "../../signatures/context";
import type { Target } from "../../signatures/signature";
import type { Answer, Delivery } from "../delivery";
import { statusOf } from "../input-replies";
import { Input, type Route } from "../input-routes";
import type { GrpcCall } from "./call";
import { code } from "./status";

/** What a message is for the function. */
export interface Received extends DeliveredEvent {
  /** Of a topic it is written when somebody asks for it: an event has come in pieces. */
  rawBody: Buffer | undefined;
  /** Metadata that stands in the message. */
  metadata: Record<string, string>;
}

/** dapr-proxy has the same patience over both protocols. */
const proxyPatience = 60_000; // ms

const longestId = 256; // it is remembered after a failure, and stands in log lines

export class GrpcDelivery implements Delivery {
  data: unknown;
  origin: Origin;
  readonly id: string | undefined;
  protected readonly call: GrpcCall;
  readonly #route: Route;
  readonly #target: Target;

  constructor(target: Target, route: Route, call: GrpcCall, received: Received) {
    this.#target = target;
    this.#route = route;
    this.call = call;
    this.data = received.data;
    this.id = typeof received.event?.id === "string" ? received.event.id.slice(0, longestId) : undefined;
    // A binding's metadata is in its message alone; what the headers of its call say is the protocol's.
    const headers = route.caller === "binding" ? {} : call.headers;
    this.origin = new GrpcOrigin(new Input(route, { headers }, received.metadata), received);
  }

  get input(): string {
    return this.#route.name;
  }

  get isBinding(): boolean {
    return this.#route.caller === "binding";
  }

  get lostAfter(): number | undefined {
    return this.#route.caller === "topic" ? proxyPatience : undefined;
  }

  open(): Invocation {
    return new Invocation(this.#target.name, "openfunction", this.#route.trigger, this.call);
  }

  isGone(): boolean {
    return this.call.closed;
  }

  onGone(listener: () => void): void {
    this.call.once("close", listener);
  }

  release(): void {
    this.data = undefined;
    this.origin = {};
  }

  statusOf(word: Answer["word"]): number {
    return statusOf(word, this.#route);
  }

  answer(answer: Answer): void {
    const { caller } = this.#route;
    if (answer.word === "retry") return this.#answerRetry(answer);
    // To dapr-proxy every status is an acknowledgement, so DROP can be said to it too.
    if (caller !== "binding") this.call.answer(answer.word === "ack" ? success : drop);
    else this.call.answer(answer.word === "ack" ? writeBindingReply(answer.value?.bytes) : success);
  }

  #answerRetry({ error, unheard }: Extract<Answer, { word: "retry" }>): void {
    const { caller } = this.#route;
    if (caller === "announced" && unheard !== "stopping") return this.call.answer(retry);
    const isHidden = this.#target.production && unheard === undefined;
    const isAway = caller === "topic" || unheard !== undefined;
    const reason = isHidden ? "Internal Server Error" : messageOf(error);
    this.call.fail(isAway ? code.unavailable : code.internal, reason);
  }
}

class GrpcOrigin implements Origin {
  readonly input: InvocationInput;
  readonly event: CloudEvent | undefined;
  readonly #received: Received;

  constructor(input: InvocationInput, received: Received) {
    this.input = input;
    this.event = received.event as CloudEvent | undefined;
    this.#received = received;
  }

  get rawBody(): Buffer {
    this.#received.rawBody ??= bytesOfEvent(this.#received);
    return this.#received.rawBody;
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
