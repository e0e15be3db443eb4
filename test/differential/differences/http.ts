/** Requests to http functions and Express applications. */
import * as zlib from "node:zlib";

import { failure, failurePage, lineForPage } from "./groups";
import type { Difference } from "./row";

const readsZstd = "zstdDecompressSync" in zlib; // since Node 22.15
const development = ["failures", "deadly failures"];
const production = ["failures in production"];

export const httpDifferences: Difference[] = [
  {
    in: ["bodies", "bodies in production", "requests", "express: app"],
    requests: [
      ...["JSON number", "JSON null", "JSON string", "JSON, malformed", "JSON, latin1", "JSON, iso-8859-1"],
      ...[
        "form, 1001 parameters",
        "gzip, corrupt",
        "gzip, cut",
        "unknown encoding",
        "zstd",
        "malformed percent",
      ],
      "JSON body, malformed",
    ],
    differs: [...lineForPage, "body"],
    spec: "6.3",
    why: "What is refused before the function runs gets one line of text, not a page with a stack.",
  },
  ...(readsZstd
    ? [
        {
          in: "bodies",
          requests: ["zstd"],
          differs: ["400 → 415"],
          spec: "5.2",
          why: "zstd is refused on every Node; theirs reads it where Node does, and these bytes are none.",
        },
      ]
    : []),
  {
    in: "bodies",
    requests: ["no content type", "content type that is none", "empty content type"],
    differs: [
      'body.body.type: "undefined" → "Buffer"',
      'body.body.value: – → "bare"',
      'body.raw: – → "bare"',
      "body.isSame: false → true",
    ],
    spec: "5.2",
    why: "A body without a usable content type is a Buffer; theirs is not read at all.",
  },
  {
    in: "requests",
    requests: ["favicon.ico with a broken body"],
    differs: [
      "400 → 404",
      "-Content-Security-Policy: default-src 'none'",
      "-X-Content-Type-Options: nosniff",
      "-Content-Type: text/html; charset=utf-8",
      "body",
    ],
    spec: "5.1",
    why: "An ignored route is answered without reading the body.",
  },
  {
    in: "responses",
    requests: ["locals"],
    differs: ["body.locals.functionExecutionFinished: false → –"],
    spec: "5.1",
    why: "Their note to themselves about the end of the function; ours keeps none in the response.",
  },
  {
    in: ["responses", "responses in production"],
    requests: ["send-file-missing", "send-file-above", "next", "next-status", "image accepted: format"],
    differs: [...lineForPage, "body"],
    spec: "6.3",
    why: "An error with a 4xx status that is handed to Express is one line of text, not a page.",
  },
  {
    in: "responses",
    requests: ["image accepted: format"],
    differs: ["-Vary: Accept"],
    spec: "6.3",
    why: "A failure's reply carries none of the headers that were meant for the answer.",
  },
  {
    in: ["responses", "responses in production"],
    requests: ["next-error"],
    differs: [...lineForPage, "+X-Google-Status: crash", "+X-OpenFunction-Status: crash", "body"],
    spec: "6.3",
    why: "An error handed to `next` is a crash as if it were thrown.",
  },

  // Failures
  {
    in: development,
    requests: [
      ...[
        "throws-error",
        "throws-text",
        "throws-object",
        "throws-number",
        "rejects-error",
        "throws-in-timer",
      ],
      ...[
        "throws-in-emitter",
        "throws-in-stream",
        "unhandled-rejection",
        "circular-json",
        "line-break-in-header",
      ],
      ...["status-42", "headers-then-throws", "unhandled-null"],
    ],
    differs: failurePage("crash"),
    spec: "6.3",
    why: "Both status headers, and text in place of a page that runs what the message holds.",
  },
  {
    in: production,
    requests: ["throws-error", "throws-text", "throws-object", "rejects-error", "throws-in-timer"],
    differs: [...failure("crash"), "body"],
    spec: "6.3",
    why: "Both status headers, nosniff, and beside the sentence the id that is in the log.",
  },
  {
    in: development,
    requests: ["headers-then-throws"],
    differs: ["-X-Half: done", "-Set-Cookie: a=b", "-Content-Encoding: gzip"],
    spec: "6.3",
    why: "A failure's reply carries none of the headers that were meant for the answer; their text is not gzip.",
  },
  {
    in: development,
    requests: ["unhandled-null"],
    differs: ["body"],
    spec: "6.3",
    why: "The text of what was thrown; theirs tells of its own mistake in handling null.",
  },
  {
    in: development,
    requests: ["rejects-null", "rejects-undefined", "thenable-rejects", "thenable-rejects-null"],
    differs: ["hangs → 500"],
    spec: "6.3",
    why: "Every rejection is a crash, of any promise and with any reason.",
  },
  {
    in: development,
    requests: ["throws-null", "throws-undefined", "throws-null-in-timer"],
    differs: ["exit 7 → 500"],
    spec: "6.3",
    why: "A thrown null is a crash of the invocation; theirs ends the process.",
  },
  {
    in: development,
    requests: ["throws-after-part"],
    differs: ["200 and hangs → reset"],
    spec: "6.3",
    why: "A broken response is seen at once; nothing of it had left yet.",
  },
  {
    in: development,
    requests: ["timer-after-part", "rejects-after-part"],
    differs: ["200 and hangs → 200 and cut"],
    spec: "6.3",
    why: "A broken response is seen at once.",
  },

  // Returned values
  {
    in: "results",
    requests: ["undefined"],
    differs: ["hangs → 204"],
    spec: "6.2",
    why: "A function that declares no response has answered when it returns.",
  },
  {
    in: ["results", "results: defaults", "results: bare"],
    requests: [
      ...[
        "null",
        "text",
        "empty",
        "zero",
        "number",
        "true",
        "false",
        "object",
        "list",
        "bare",
        "buffer",
        "array",
      ],
      ...["promise", "thenable", "event", "class", "date", "a"],
    ],
    differs: ["hangs → 200"],
    spec: "6.2",
    why: "A returned value is sent when the function declares no response.",
  },
  {
    in: "results",
    requests: ["circular", "bigint", "symbol", "timer"],
    differs: ["hangs → 500"],
    spec: "6.2",
    why: "A value that cannot be sent is a crash.",
  },
  {
    in: "results: with res",
    requests: ["status-and-object"],
    differs: ["hangs → 201"],
    spec: "6.2",
    why: "A returned object is sent with the status that was set.",
  },
  {
    in: "results: with res",
    requests: ["type-and-buffer", "type-and-text"],
    differs: ["hangs → 200"],
    spec: "6.2",
    why: "A returned text or Buffer is sent with the type that was set.",
  },
  {
    in: "results: with res",
    requests: ["late/text", "late/object", "late/event"],
    differs: ["body"],
    spec: "6.2",
    why: "A text, a plain object or a CloudEvent is never returned by accident: it is the answer.",
  },
  {
    in: "results: with res",
    requests: ["late/object", "late/event"],
    differs: ["Content-Type: text/html; charset=utf-8 → application/json; charset=utf-8"],
    spec: "6.2",
    why: "A returned object is sent as JSON.",
  },
  {
    in: "results: with res",
    requests: ["late/event"],
    differs: ["+ce-id: 1", "+ce-source: /me", "+ce-type: made", "+ce-specversion: 1.0"],
    spec: "6.2",
    why: "A returned CloudEvent goes out in binary mode.",
  },

  // Time, and paths
  {
    in: "timeout",
    requests: ["late", "late, with a body"],
    differs: ["hangs → 504"],
    spec: "7",
    why: "The deadline answers; theirs aborts a signal and lets the client wait.",
  },
  {
    in: "requests",
    requests: [
      ...["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE", "PROPFIND", "GET"],
      ...["double slashes", "encoded characters", "favicon.ico elsewhere", "favicon.icon"],
      ...[
        "malformed percent in the query",
        "nested query",
        "query with __proto__",
        "forwarded",
        "own headers",
      ],
      ...["accepts", "execution id"],
    ],
    differs: ["body.rest: – → …"],
    spec: "2",
    why: "The rest of the path is in `params[0]` too, where functions for Express 4 look for it.",
  },
  {
    in: ["ignored routes", "ignored routes: none"],
    requests: ["hidden", "favicon.ico", "robots.txt"],
    differs: ["body.rest: – → …"],
    spec: "2",
    why: "The same, where these paths are not ignored.",
  },

  {
    in: "requests",
    requests: ["absolute URL"],
    differs: ["body"],
    spec: "2",
    why: "The same: the rest of the path is in `params[0]` too.",
  },

  // Express applications
  {
    in: ["express: app", "express: handling"],
    requests: [
      ...[
        "greet/you?u=again",
        "throws",
        "throws-null",
        "rejects",
        "forbidden",
        "timer",
        "nowhere",
        "JSON body",
      ],
    ],
    differs: ["-X-Powered-By: Express"],
    spec: "11, row 16",
    why: "The function's server says nothing of Express, whatever the application's settings are.",
  },
  {
    in: "express: app",
    requests: ["greet/you?u=again", "JSON body", "timer"],
    differs: ["-ETag: …"],
    spec: "11, row 16",
    why: "No ETag, as for every function.",
  },
  {
    in: "express: handling",
    requests: ["throws"],
    differs: ["-ETag: …"],
    spec: "11, row 16",
    why: "No ETag, as for every function.",
  },
  {
    in: "express: app",
    requests: ["throws", "throws-null", "rejects", "forbidden", "nowhere"],
    differs: [...lineForPage, "body"],
    spec: "3.3",
    why: "What the application does not handle ends in the framework's own line of text.",
  },
  {
    in: "express: app",
    requests: ["throws", "rejects"],
    differs: ["+X-Google-Status: crash", "+X-OpenFunction-Status: crash"],
    spec: "3.3",
    why: "An error that the application does not handle is a crash of the function.",
  },
  {
    in: "express: app",
    requests: ["timer"],
    differs: failurePage("crash"),
    spec: "6.3",
    why: "Both status headers, and text in place of a page.",
  },
  {
    in: "express: router",
    requests: ["in/5?a=1", "JSON body"],
    differs: [
      "500 → 200",
      "-X-Google-Status: crash",
      "Content-Type: text/html; charset=utf-8 → application/json; charset=utf-8",
      "body",
    ],
    spec: "3.3",
    why: "A function with three parameters is mounted with a `next`; theirs passes none.",
  },
  {
    in: ["express: router", "express: middleware"],
    requests: ["nowhere", "passed"],
    differs: [
      "500 → 404",
      "-X-Google-Status: crash",
      "Content-Type: text/html; charset=utf-8 → text/plain; charset=utf-8",
      "+X-Content-Type-Options: nosniff",
      "body",
    ],
    spec: "3.3",
    why: "`next` without an error ends in a 404 of the framework.",
  },
  {
    in: "express: middleware",
    requests: ["fails"],
    differs: [...failurePage("crash"), "body"],
    spec: "3.3",
    why: "`next` with an error is a crash with its message.",
  },
];
