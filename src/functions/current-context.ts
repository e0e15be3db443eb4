/** ctx of the running call, for functions that are not given one. */
import { frameworkError } from "../core/errors";
import { callerPlace } from "./caller";
import { shared } from "./shared";
import type { OpenFunctionContext } from "./types";

/**
 * The ctx of the call that the running code belongs to, whatever its signature:
 *
 *     functions.http("order", async (req, res) => {
 *       await functions.currentContext().send(req.body, "bills");
 *       res.send("thanks");
 *     });
 *
 * Outputs, states and the rest are those of the function context. Error: FF_NO_INVOCATION outside of any call.
 */
export function currentContext(): OpenFunctionContext {
  const ctx = shared().currentContext?.();
  if (ctx) return ctx;
  throw frameworkError("FF_NO_INVOCATION", {}, { place: callerPlace() });
}
