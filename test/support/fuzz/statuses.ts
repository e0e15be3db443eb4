/** The statuses that docs/errors.md says the framework answers. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export function documentedStatuses(): ReadonlySet<number> {
  const page = readFileSync(resolve(__dirname, "../../../docs/errors.md"), "utf8");
  const chapter = page.split(/^## /m).find((text) => text.startsWith("Statuses\n")) ?? "";
  return new Set([...chapter.matchAll(/^\| (\d{3}) \|/gm)].map(([, status]) => Number(status)));
}
