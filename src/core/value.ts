/** Values that came from outside: what they are, and what a message calls them. */

/** True for an object that is no list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const longest = 100;

/** A value as a message shows it, on one line: `"text"`, `5`, `null`, `a list`, `an object`. */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return value.length > longest ? `${JSON.stringify(value.slice(0, longest))}…` : JSON.stringify(value);
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : String(value);
}
