/**
 * The reviewed list: how answers and starts of ours differ from those of Google's framework 5, and why that is right.
 * `spec` is the section of the project's specification of the synchronous side. Every line of `differs` holds for every
 * request named beside it. What differs and is in no row fails, and so does a line that no longer differs.
 */
import { eventDifferences } from "./differences/events";
import { httpDifferences } from "./differences/http";
import type { Difference } from "./differences/row";
import { startDifferences } from "./differences/start";

export const differences: Difference[] = [...startDifferences, ...httpDifferences, ...eventDifferences];
