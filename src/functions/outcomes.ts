/** What a function throws to say what becomes of its message. Anything else it throws means: deliver it again. */
import { frameworkError } from "../core/errors";
import { describe } from "../core/value";

// How they are recognised, whichever copy of the package they come from.
const mark = Symbol.for("openfunction.functions-framework/outcome");

/**
 * Thrown for a message that will never succeed: it is not delivered again. The sidecar publishes it to the dead letter
 * topic of the subscription, when there is one.
 *
 *     if (!isOrder(data)) throw new DropMessage("it is no order");
 */
export class DropMessage extends Error {
  override readonly name = "DropMessage";
  readonly [mark] = "drop";

  constructor(reason = "The function drops it.", options?: { cause?: unknown }) {
    super(reason, options);
  }
}

/** What a {@link RetryMessage} may say. */
export interface RetryMessageOptions {
  /** Milliseconds until the next attempt, up to an hour. Default: as after any other failure. */
  afterMs?: number;
  /** For the log. */
  reason?: string;
  cause?: unknown;
}

const longest = 3_600_000; // ms

/**
 * Thrown for a message that is to be delivered again, later.
 *
 *     if (reply.status === 429) throw new RetryMessage({ afterMs: 30_000, reason: "the shop is busy" });
 */
export class RetryMessage extends Error {
  override readonly name = "RetryMessage";
  readonly [mark] = "retry";
  readonly afterMs: number | undefined;

  /** Error: FF_RETRY_AFTER_INVALID. */
  constructor({
    afterMs,
    reason = "The function asks for another attempt.",
    ...options
  }: RetryMessageOptions = {}) {
    super(reason, options);
    if (afterMs !== undefined && !isDelay(afterMs))
      throw frameworkError("FF_RETRY_AFTER_INVALID", { value: describe(afterMs) });
    this.afterMs = afterMs;
  }
}

/** What was asked for by what a function has thrown; undefined for an ordinary failure. */
export function askedOutcome(
  thrown: unknown,
): { word: "drop" } | { word: "retry"; afterMs: number | undefined } | undefined {
  const word = markOf(thrown);
  if (word === "drop") return { word };
  if (word !== "retry") return undefined;
  const { afterMs } = thrown as RetryMessage;
  return { word, afterMs: isDelay(afterMs) ? afterMs : undefined };
}

function markOf(thrown: unknown): unknown {
  try {
    return typeof thrown === "object" && thrown !== null ? (thrown as { [mark]?: unknown })[mark] : undefined;
  } catch {
    return undefined; // a revoked proxy
  }
}

function isDelay(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= longest;
}
