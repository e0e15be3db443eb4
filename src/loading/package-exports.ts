/** The part of package.json `exports` that leads to one file. Patterns with `*` are not followed. */

// https://nodejs.org/api/packages.html#conditional-exports: the first key that holds wins.
const conditions = new Set(["node", "require", "import", "default"]);

/** The path below the package that `exports` has for a subpath (`.` or `./name`), or undefined. */
export function exportTarget(exports: unknown, subpath: string): string | undefined {
  const isMap = isObject(exports) && Object.keys(exports).some((key) => key.startsWith("."));
  if (isMap) return follow(exports[subpath]);
  return subpath === "." ? follow(exports) : undefined;
}

function follow(target: unknown): string | undefined {
  // RFC 3986 dot segments would lead out of the package.
  if (typeof target === "string")
    return target.startsWith("./") && !target.includes("/../") ? target : undefined;
  const choices = Array.isArray(target)
    ? target
    : isObject(target)
      ? Object.entries(target).flatMap(([key, value]) => (conditions.has(key) ? [value] : []))
      : [];
  for (const choice of choices) {
    const found = follow(choice);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
