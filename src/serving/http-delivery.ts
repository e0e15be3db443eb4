/** A delivery that came by a request of its own. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { Invocation } from "../core/invocation";
import type { Target } from "../signatures/signature";
import type { Answer } from "./delivery";
import { InputDelivery, type Received } from "./input-delivery";
import { replyOutcome, statusOf } from "./input-replies";
import { Input, type Route } from "./input-routes";

export class HttpDelivery extends InputDelivery {
  readonly #res: ServerResponse;

  constructor(
    target: Target,
    route: Route,
    { req, res }: { req: IncomingMessage; res: ServerResponse },
    received: Received,
    metadata?: Record<string, string>,
  ) {
    super(target, route, new Input(route, req, metadata), received);
    this.#res = res;
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

  statusOf(word: Answer["word"]): number {
    return statusOf(word, this.route);
  }

  answer(answer: Answer): void {
    const { production } = this.target;
    replyOutcome(this.#res, answer, { route: this.route, production });
  }
}
