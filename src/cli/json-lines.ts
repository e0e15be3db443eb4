/** `dev --json`: one object a line on stdout and nothing else. */
import type { DevListener } from "../dev/events";
import { createJsonEvents } from "../dev/json-events";

export function createJsonListener(): DevListener {
  return createJsonEvents((event) => void process.stdout.write(`${JSON.stringify(event)}\n`));
}
