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
