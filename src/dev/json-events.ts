/** The events as `--json` and the control API tell them: the function's own output line by line, nothing for people only. */
import type { DevEvent, DevListener } from "./events";

const longestLine = 64 * 1024; // characters kept for a line that has no end yet

/** What has no line end comes in pieces. */
export function createJsonEvents(tell: DevListener): DevListener {
  const partial = new Map<string, DevEvent & { event: "log" }>();
  // What has no line end when its process ends, or when another takes its place, is a line too.
  const flush = (name: string | undefined) => {
    for (const [key, event] of partial) {
      if (name !== undefined && event.function !== name) continue;
      partial.delete(key);
      if (event.data.text) tell(event);
    }
  };
  return (event) => {
    if (event.event === "notice") return;
    if (event.event === "stopped") flush(undefined);
    if (event.event === "error" && event.function !== undefined) flush(event.function);
    if (event.event !== "log") return tell(event);
    const { stream } = event.data;
    const key = `${event.function}/${stream}`;
    const lines = ((partial.get(key)?.data.text ?? "") + event.data.text).split("\n");
    const rest = lines.pop() ?? "";
    if (rest.length > longestLine) lines.push(rest);
    partial.set(key, { ...event, data: { stream, text: rest.length > longestLine ? "" : rest } });
    for (const text of lines) tell({ ...event, data: { stream, text } });
  };
}
