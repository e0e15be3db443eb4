/** ctx of a call whose function is not given one: made when somebody asks for it. */
import { currentInvocation, type Invocation } from "../core/invocation";
import { shared } from "../functions/shared";
import type { CloudEvent, OpenFunctionContext, Request, Response } from "../functions/types";
import { type ContextClass, createContextClass, type Origin } from "./context";
import { readCloudEvent } from "./event-request";
import { Sends } from "./sends";
import type { Target } from "./signature";

/** Lets `currentContext` of every copy of the package find the ctx of the running call. */
export function provideContext(): void {
  shared().currentContext ??= () => {
    const invocation = currentInvocation();
    return invocation && ((invocation.ctx ?? invocation.openContext?.()) as OpenFunctionContext | undefined);
  };
}

/** What `openContext` of an invocation over HTTP is set to; the class is made once. */
export function createContextOpener(target: Target): (this: Invocation) => OpenFunctionContext {
  let Context: ContextClass | undefined;
  return function openContextOfCall() {
    Context ??= createContextClass(target);
    const res = this.response as unknown as Response;
    const req = res.req as Request;
    const event = this.signature === "cloudevent" ? eventOf(req) : undefined;
    const origin: Origin = { req, res, rawBody: req.rawBody, event };
    return openContext(Context, target, this, origin);
  };
}

/** Its sends belong to the outcome until the answer is out; later ones that fail are lines in the log. */
export function openContext(
  Context: ContextClass,
  { outputs }: Target,
  invocation: Invocation,
  origin: Origin,
): OpenFunctionContext {
  const sends = new Sends(outputs, invocation, origin.event);
  const ctx = new Context(invocation, sends, origin);
  const before = invocation.sends;
  invocation.ctx = ctx;
  invocation.sends = sends;
  if (before)
    before.close(); // of the event before this one in a batch
  else if (!invocation.response.closed) invocation.response.once("close", () => invocation.sends?.close());
  if (invocation.response.closed) sends.close();
  return ctx;
}

// Of a batch there is not one, and a legacy event is none.
function eventOf(req: Request): CloudEvent | undefined {
  try {
    return readCloudEvent(req);
  } catch {
    return undefined; // the signature has told what is wrong with it
  }
}
