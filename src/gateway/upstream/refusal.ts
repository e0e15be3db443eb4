/** What a client is told when a function has no answer for it. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";

import { type FrameworkError, isFrameworkError } from "../../core/errors";
import { hasHeader } from "../../core/http";
import { describeError, type ErrorDescription, log } from "../../core/log";
import { replyProblem } from "../../core/reply";

/** Answers with the function and the code. Addresses and reasons are for clients of this machine only. */
export function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  name: string,
  { status = 500, code, message, retryAfter, cause }: FrameworkError,
): void {
  log.debug(`${code} ${message}`, { function: name });
  if (!req.complete && hasHeader(req, ["expect"])) res.setHeader("Connection", "close"); // its body is not going to come
  const isOfInstances = code.startsWith("FF_INSTANCE_");
  const sentence = isOfInstances ? message : `${STATUS_CODES[status]}, for function "${name}".`;
  const reason = isOfInstances ? reasonOf(cause) : message;
  const parts = [code, sentence, isLocal(req) ? reason : undefined].filter((part) => part !== undefined);
  replyProblem(res, status, parts.join(" "), {
    code,
    ...(retryAfter !== undefined && { headers: { "Retry-After": String(retryAfter) } }),
  });
}

/** An error below, or a worker's own words. */
function reasonOf(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  const { message, place } = isFrameworkError(cause) ? describeError(cause) : (cause as ErrorDescription);
  return place === undefined ? message : `${place} ${message}`;
}

// A proxy of this machine speaks for clients of elsewhere.
function isLocal(req: IncomingMessage): boolean {
  const { remoteAddress = "" } = req.socket;
  const isLoopback = /^(?:::ffff:)?127\./.test(remoteAddress) || remoteAddress === "::1";
  return isLoopback && !hasHeader(req, ["x-forwarded-for", "forwarded"]);
}
