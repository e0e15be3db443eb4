/** `(event)` or `(event, callback)`: CloudEvents, one by one or as a batch, and legacy events made into them. */
import { createRequire } from "node:module";

import type { Invocation } from "../core/invocation";
import type { CloudEvent, Request } from "../functions/types";
import { withCallback } from "./callback";
import { answerEvent, type CallFunction } from "./event-answer";
import { isBatch, readBatch } from "./event-batch";
import { readCloudEvent } from "./event-request";
import type * as LegacyToEvent from "./legacy-to-event";
import type { Signature } from "./signature";

export const cloudevent: Signature = {
  name: "cloudevent",
  methods: ["POST"],
  body: "raw",
  create(target) {
    const fn = withCallback(target.function, 1);

    return answerEvent(target, fn, (req, call, invocation) => {
      if (isBatch(req)) return callForEach(readBatch(req), call, invocation);
      const event = readCloudEvent(req, fromLegacy);
      return call([event], event);
    });
  },
};

/** In order, one at a time: the first failure is the answer, and returned values are dropped. */
async function callForEach(events: CloudEvent[], call: CallFunction, invocation: Invocation): Promise<void> {
  for (const event of events) {
    await call([event], event);
    if (invocation.settled) return; // answered already: an error in a timer, or a deadline that is over
  }
}

const load = createRequire(__filename);

// Loaded at the first body that is JSON and no CloudEvent: most functions never see one.
function fromLegacy(body: Record<string, unknown>, req: Request) {
  const { eventFromLegacy } = load("./legacy-to-event.js") as typeof LegacyToEvent;
  return eventFromLegacy(body, req);
}
