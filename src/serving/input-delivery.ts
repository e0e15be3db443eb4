/** What deliveries of all protocols share: the message of an input, and what its invocation is told of it. */
import type { Invocation } from "../core/invocation";
import { bytesOfEvent, type DeliveredEvent } from "../dapr/protocol";
import type { CloudEvent, InvocationInput } from "../functions/types";
import type { Origin } from "../signatures/context";
import type { Target } from "../signatures/signature";
import type { Answer, Delivery } from "./delivery";
import type { Input, Route } from "./input-routes";

/** What a message is for the function. */
export interface Received extends DeliveredEvent {
  /** Undefined for an event that did not come as bytes of its own: they are written when somebody asks. */
  rawBody: Buffer | undefined;
}

/** dapr-proxy looks at its clock after every failure, and gives up when this has passed since the first. */
const proxyPatience = 60_000; // ms

const longestId = 256; // it is remembered after a failure, and stands in log lines

export abstract class InputDelivery implements Delivery {
  data: unknown;
  origin: Origin;
  readonly id: string | undefined;
  protected readonly route: Route;
  protected readonly target: Target;

  constructor(target: Target, route: Route, input: Input, received: Received) {
    const { data, event, rawBody } = received;
    this.target = target;
    this.route = route;
    this.data = data;
    this.id = typeof event?.id === "string" ? event.id.slice(0, longestId) : undefined;
    this.origin = rawBody
      ? { input, event: event as CloudEvent | undefined, rawBody }
      : new UnwrittenOrigin(input, received);
  }

  get input(): string {
    return this.route.name;
  }

  get isBinding(): boolean {
    return this.route.caller === "binding";
  }

  get lostAfter(): number | undefined {
    return this.route.caller === "topic" ? proxyPatience : undefined;
  }

  release(): void {
    this.data = undefined;
    this.origin = {};
  }

  abstract open(attempt: number): Invocation;
  abstract isGone(): boolean;
  abstract onGone(listener: () => void): void;
  abstract statusOf(word: Answer["word"]): number;
  abstract answer(answer: Answer): void;
}

class UnwrittenOrigin implements Origin {
  readonly input: InvocationInput;
  readonly event: CloudEvent | undefined;
  readonly #received: Received;

  constructor(input: InvocationInput, received: Received) {
    this.input = input;
    this.event = received.event as CloudEvent | undefined;
    this.#received = received;
  }

  // Not before it is asked for: it costs, and an event that is nested too deep for JSON throws.
  get rawBody(): Buffer {
    this.#received.rawBody ??= bytesOfEvent(this.#received);
    return this.#received.rawBody;
  }
}
