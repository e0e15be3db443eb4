/** How a result or a failure becomes a response. */
import { STATUS_CODES } from "node:http";

import { bytesOf } from "../core/bytes";
import { isCloudEvent } from "../core/cloudevent";
import { type FrameworkError, isFrameworkError, messageOf } from "../core/errors";
import { currentInvocation, type Invocation } from "../core/invocation";
import { log, logError } from "../core/log";
import { breakOff, replyProblem, replyText } from "../core/reply";
import type { Request, Response } from "../functions/types";
import {
  isAsyncIterable,
  isStream,
  isWebResponse,
  sendStream,
  sendWebResponse,
  streamOf,
} from "./reply-stream";

/** The word in X-Google-Status and X-OpenFunction-Status: `crash` for http functions, `error` for the others. */
export type FailureWord = "crash" | "error";

/** Both headers carry the same word, as users of either framework look for their own. */
export function failureHeaders(word: FailureWord): Record<string, string> {
  return { "X-Google-Status": word, "X-OpenFunction-Status": word };
}

/** Sends a returned value: `undefined` is 204. Throws for what cannot be written as JSON. */
export function sendResult(res: Response, value: unknown): void {
  if (value === undefined) sendNothing(res);
  else if (typeof value === "string" || Buffer.isBuffer(value)) res.send(value);
  else if (ArrayBuffer.isView(value)) res.send(bytesOf(value));
  else if (isCloudEvent(value)) sendCloudEvent(res, value);
  else if (isStream(value)) sendStream(res, value, failCurrent);
  else if (isAsyncIterable(value)) sendStream(res, streamOf(value), failCurrent);
  else if (isWebResponse(value)) sendWebResponse(res, value, failCurrent);
  else sendJson(res, value);
}

function sendNothing(res: Response): void {
  res.statusCode = 204;
  res.end();
}

function failCurrent(err: unknown): void {
  currentInvocation()?.fail?.(err);
}

/** Sends any value as JSON, a text too; a type that is set stays. Throws for what cannot be written so. */
export function sendJson(res: Response, value: unknown): void {
  const text = jsonOf(value);
  if (!res.hasHeader("Content-Type")) res.setHeader("Content-Type", "application/json; charset=utf-8");
  res.send(text);
}

// Binary content mode of the CloudEvents HTTP binding (§3.1): attributes as ce- headers, data as the body.
function sendCloudEvent(res: Response, event: Record<string, unknown>): void {
  const { data, data_base64, datacontenttype, ...attributes } = event;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || typeof value === "function" || typeof value === "object")
      continue;
    res.setHeader(`ce-${name}`, encodeHeader(String(value)));
  }
  if (typeof datacontenttype === "string") res.setHeader("Content-Type", datacontenttype);
  if (typeof data_base64 === "string") res.send(Buffer.from(data_base64, "base64"));
  else if (data === undefined) res.end();
  else if (ArrayBuffer.isView(data)) res.send(bytesOf(data));
  else if (typeof data === "string" && !datacontenttype) res.send(data);
  else if (typeof data === "string")
    res.send(Buffer.from(data)); // bytes: no charset is added to a stated type
  else {
    const json = jsonOf(data);
    if (!datacontenttype) res.setHeader("Content-Type", "application/json; charset=utf-8");
    res.send(Buffer.from(json));
  }
}

// CloudEvents HTTP binding §3.1.3.2: space, double quote, percent and all outside printable ASCII are encoded.
function encodeHeader(value: string): string {
  const text = value.replace(/\p{Cs}/gu, "\ufffd"); // half of a surrogate pair has no encoding
  return text.replace(/[^\x21\x23\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character));
}

function jsonOf(value: unknown): string {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`A value of type ${typeof value} cannot be sent.`);
  return text;
}

export interface FailureOptions {
  word: FailureWord;
  production: boolean;
}

/** Ends an invocation as failed: logs it once and answers 500 where an answer can still be given. */
export function sendFailure(
  invocation: Invocation,
  res: Response,
  thrown: unknown,
  { word, production }: FailureOptions,
): void {
  const status = isFrameworkError(thrown) && thrown.status !== undefined ? thrown.status : 500;
  const { function: name, id } = invocation;
  if (status < 500) log.debug(messageOf(thrown), { function: name });
  else logError(thrown, { function: name, invocation: id });
  if (invocation.settled || res.writableEnded) return; // answered already: the log line is all there is to do
  invocation.settled = true;
  invocation.error = thrown;
  try {
    if (status === 500) replyFailure(res, thrown, id, { word, production });
    else replyFrameworkError(res, thrown as FrameworkError);
  } catch (err) {
    // The function has changed the response so that nothing can be written: the client must not wait for ever.
    logError(err, { function: invocation.function, invocation: invocation.id });
    breakOff(res);
  }
}

function replyFailure(
  res: Response,
  thrown: unknown,
  id: string,
  { word, production }: FailureOptions,
): void {
  // In production the message stays inside; the id finds it in the log.
  const text = production ? `Internal Server Error (id ${id})` : messageOf(thrown);
  replyProblem(res, 500, text, { headers: failureHeaders(word), id });
}

// A bad request carries no status header, a deadline that is over does.
function replyFrameworkError(res: Response, err: FrameworkError): void {
  const { status = 500, message, code } = err;
  replyProblem(res, status, message, { code, ...(status >= 500 && { headers: failureHeaders("error") }) });
}

export type NextOptions = Pick<FailureOptions, "production">;

/**
 * `next` as Express gives it: what a mounted application or `res.sendFile` does not answer ends here. An error that
 * states a 4xx status (a missing file) is answered with it, any other is a failure of the function.
 */
export function nextOf(req: Request, res: Response, options: NextOptions): (err?: unknown) => void {
  const invocation = currentInvocation();
  return (err) => {
    const status = err ? (err as { status?: unknown }).status : 404;
    if (typeof status !== "number" || status < 400 || status > 499) invocation?.fail?.(err);
    else if (!res.headersSent)
      replyText(res, status, err ? clientText(err, status, options) : `Cannot ${req.method} ${req.path}`);
    else if (err && !res.writableEnded) breakOff(res); // begun and given up: the client would wait for ever
  };
}

// http-errors marks what is for clients, and what is not: the path of a file that is not there. In production an error
// without a mark says nothing either.
function clientText(err: unknown, status: number, { production }: NextOptions): string {
  const { expose = !production } = err as { expose?: unknown };
  return expose ? messageOf(err) : (STATUS_CODES[status] ?? String(status));
}
