/** Paths that are answered 404 without the function: what browsers and crawlers ask of every server. */

/** The list of the original frameworks, for http functions when no other is given. */
export const defaultIgnoredRoutes: readonly string[] = ["/favicon.ico", "/robots.txt"];

/**
 * Matches the URLs of a list of routes, without case and with all that is below, as Express mounts a path. `:name` is
 * one segment, `*` and `{*name}` at the end the rest. Undefined for an empty list.
 */
export function compileIgnoredRoutes(routes: readonly string[]): RegExp | undefined {
  if (routes.length === 0) return undefined;
  const patterns = routes.map((route) =>
    route
      .replace(/(?:\/|\*\w*|\/?\{\*\w+\})*$/, "")
      .split("/")
      .map((segment) => (segment.startsWith(":") ? "[^/?]+" : segment.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))
      .join("/"),
  );
  return new RegExp(`^(?:${patterns.join("|")})(?=[/?]|$)`, "i");
}
