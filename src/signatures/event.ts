/** `(data, context)` or `(data, context, callback)`: Google's legacy events, and CloudEvents made into them. */
import { withCallback } from "./callback";
import { answerEvent } from "./event-answer";
import { readLegacyEvent } from "./legacy-request";
import type { Signature } from "./signature";

export const event: Signature = {
  name: "event",
  methods: ["POST"],
  body: "raw",
  create(target) {
    return answerEvent(target, withCallback(target.function, 2), (req, call) => {
      const { data, context } = readLegacyEvent(req);
      return call([data, context]);
    });
  },
};
