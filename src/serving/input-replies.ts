/** The outcome of a delivery in the words of each caller over HTTP; docs/outcomes.md has the table. */
import type { ServerResponse } from "node:http";

import { messageOf } from "../core/errors";
import { failureHeaders } from "../signatures/reply";
import type { Answer } from "./delivery";
import type { Route } from "./input-routes";
import { refuse } from "./refuse";

export interface ReplyOptions {
  route: Route;
  /** Failures are told without their message. */
  production: boolean;
}

/** Says nothing when the answer is given already, as at the end of the grace period. */
export function replyOutcome(res: ServerResponse, answer: Answer, { route, production }: ReplyOptions): void {
  if (res.headersSent) return;
  switch (answer.word) {
    case "ack":
      return replyAck(res, route, answer);
    case "drop":
      return route.caller === "binding" ? replyBytes(res, 200) : replyStatus(res, "DROP");
    case "retry": {
      const { error, unheard } = answer;
      const why = production && unheard === undefined ? "Internal Server Error" : messageOf(error);
      if (unheard === "stopping") return replyUnfinished(res, why);
      if (route.caller === "announced") return replyStatus(res, "RETRY", unheard ? {} : failed);
      if (unheard === "full") return refuse(res, error, { "Retry-After": "1" });
      return replyBytes(res, 500, json, retryBody(why), failed);
    }
  }
}

/** The status of an outcome; dapr-proxy reads nothing else. */
export function statusOf(word: Answer["word"], { caller }: Route): number {
  return word === "retry" && caller !== "announced" ? 500 : 200;
}

/** For a delivery that cannot be finished any more: whoever reads it delivers again. */
export function replyUnfinished(res: ServerResponse, why: string): void {
  if (!res.headersSent) replyBytes(res, 503, json, retryBody(why));
}

const json = "application/json";
const failed = failureHeaders("error");

// Exactly 200: resiliency retries and dapr-proxy take any other 2xx for a failure.
function replyAck(res: ServerResponse, { caller }: Route, { value }: Extract<Answer, { word: "ack" }>): void {
  if (caller !== "binding") replyStatus(res, "SUCCESS");
  else if (value === undefined) replyBytes(res, 200);
  else replyBytes(res, 200, value.type, value.bytes);
}

function replyStatus(res: ServerResponse, word: string, headers?: Record<string, string>): void {
  replyBytes(res, 200, json, `{"status":"${word}"}`, headers);
}

function retryBody(error: string): string {
  return JSON.stringify({ status: "RETRY", error });
}

export function replyBytes(
  res: ServerResponse,
  status: number,
  type?: string,
  body: string | Buffer = "",
  headers: Record<string, string> = {},
): void {
  res.writeHead(status, {
    ...headers,
    ...(type && { "Content-Type": type }),
    "Content-Length": Buffer.byteLength(body),
  });
  res.end(body);
}
