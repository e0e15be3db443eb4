/**
 * The reviewed list: how answers and starts of ours differ from those of Google's framework 5, and why that is right.
 * `spec` is the section of the project's specification of the synchronous side. Every line of `differs` holds for every
 * request named beside it. What differs and is in no row fails, and so does a line that no longer differs.
 */
import { eventDifferences } from "./differences/events";
import { httpDifferences } from "./differences/http";
import type { Difference, Requests } from "./differences/row";
import { startDifferences } from "./differences/start";

export const differences: Difference[] = [...startDifferences, ...httpDifferences, ...eventDifferences];

/**
 * Features that are not there yet: the rows say already how it shall be. These tests are marked "todo", they may fail.
 * Take a line off when its feature comes; in the end the list is empty.
 */
export const notYet: Requests[] = [
  // --timeout (§7)
  { in: ["options: bad timeout", "options: negative timeout"], requests: ["start"] },
  { in: "timeout", requests: ["late", "late, with a body"] },
  // --ignored-routes (§5.4)
  { in: "options: ignored routes that are no pattern", requests: ["start"] },
  { in: "requests", requests: ["favicon.ico", "robots.txt below", "favicon.ico with a broken body"] },
  { in: "ignored routes", requests: ["hidden/1", "HIDDEN/1/below?x"] },
  { in: "ignored routes: a list", requests: ["one", "two", "three/x"] },
  // req.executionId and req.spanId (§12), req.params of the path (§2), 400 for a path that cannot be decoded (§5.3)
  { in: "requests", requests: ["malformed percent", "execution id"] },
  {
    in: "requests",
    requests: ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"],
  },
  {
    in: "requests",
    requests: ["PROPFIND", "double slashes", "encoded characters", "nested query", "forwarded"],
  },
  {
    in: "requests",
    requests: ["malformed percent in the query", "query with __proto__", "own headers", "accepts"],
  },
  { in: "requests", requests: ["favicon.ico elsewhere", "favicon.icon", "absolute URL"] },
  { in: "ignored routes", requests: ["hidden", "favicon.ico"] },
  { in: "ignored routes: none", requests: ["favicon.ico", "robots.txt"] },
  // ETag and X-Powered-By of applications (§11, row 16)
  { in: "express: app", requests: ["greet/you?u=again", "JSON body"] },
  // XML as data (§8.2), batches (§8.5)
  { in: "cloudevent: inputs", requests: ["binary, xml", "batch of two", "empty batch"] },
  // legacy events to cloudevent functions (§9.2, §9.4)
  {
    in: "cloudevent: legacy events",
    requests: ["Pub/Sub", "Storage", "Storage, real project", "Storage, generation"],
  },
  { in: "cloudevent: legacy events", requests: ["Firestore", "Firestore, own database", "Auth", "Database"] },
  {
    in: "cloudevent: legacy events",
    requests: ["Database, region", "Pub/Sub push", "Pub/Sub push without topic"],
  },
  { in: "cloudevent: legacy events", requests: ["Pub/Sub push without data"] },
  // signature event (§9.3, §9.4)
  { in: ["event: inputs", "event: replies", "event: callbacks"], requests: ["start"] },
];
