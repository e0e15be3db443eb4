/** A delivery that came by a request of its own. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { Invocation } from "../core/invocation";
import type { CloudEvent } from "../functions/types";
import type { Origin } from "../signatures/context";
import type { Target } from "../signatures/signature";
import type { Answer, Delivery } from "./delivery";
import { replyOutcome, statusOf } from "./input-replies";
import { Input, type Route } from "./input-routes";

/** What a request brought, decoded. */
export interface Received {
  data: unknown;
  event: Record<string, unknown> | undefined;
  rawBody: Buffer;
}

/** dapr-proxy looks at its clock after every failure, and gives up when this has passed since the first. */
const proxyPatience = 60_000; // ms

const longestId = 256; // it is remembered after a failure, and stands in log lines

export class HttpDelivery implements Delivery {
  data: unknown;
  origin: Origin;
  readonly id: string | undefined;
  protected readonly route: Route;
  protected readonly target: Target;
  readonly #res: ServerResponse;

  constructor(
    target: Target,
    route: Route,
    { req, res }: { req: IncomingMessage; res: ServerResponse },
    { data, event, rawBody }: Received,
    metadata?: Record<string, string>,
  ) {
    this.target = target;
    this.route = route;
    this.#res = res;
    this.data = data;
    this.id = typeof event?.id === "string" ? event.id.slice(0, longestId) : undefined;
    const input = new Input(route, req, metadata);
    this.origin = { input, event: event as CloudEvent | undefined, rawBody };
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

  open(attempt: number): Invocation {
    if (attempt > 1) this.#res.setMaxListeners(0); // the signal of each attempt listens for its end
    return new Invocation(this.target.name, "openfunction", this.route.trigger, this.#res);
  }

  isGone(): boolean {
    return this.#res.closed;
  }

  onGone(listener: () => void): void {
    this.#res.once("close", listener);
  }

  release(): void {
    this.data = undefined;
    this.origin = {};
  }

  statusOf(word: Answer["word"]): number {
    return statusOf(word, this.route);
  }

  answer(answer: Answer): void {
    const { production } = this.target;
    replyOutcome(this.#res, answer, { route: this.route, production });
  }
}
