/** Draws a request as it is meant. */
import { drawBody } from "./bodies";
import type { Audience, Draft } from "./draft";
import { drawEvent } from "./events";
import { drawHeaders } from "./headers";
import { drawMethod, drawPath } from "./paths";
import type { Random } from "./random";

/** Headers without Host and those of the framing, which the sender adds. */
export function drawDraft(random: Random, audience: Audience): Draft {
  const method = drawMethod(random, audience);
  const path = drawPath(random, audience);
  const own = (audience.headers ?? []).filter(() => !random.chance(5));
  const isEvent = random.chance(audience.takes === "events" ? 75 : 10);
  const hasBody = isEvent || random.chance(method === "POST" || method === "PUT" ? 90 : 15);
  if (!hasBody) return { method, path, headers: [...own, ...drawHeaders(random)], body: undefined };
  const { headers, body } = isEvent ? drawEvent(random) : drawBody(random, audience.values);
  return { method, path, headers: [...own, ...headers, ...drawHeaders(random)], body };
}
