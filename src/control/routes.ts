/** The table of a control server: what can be asked, and who answers. */
import { decodePercent } from "../core/url";

export interface ControlCall {
  /** What stands in the place of each `:name` of the path. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** Parsed JSON; undefined when there is none. */
  body: unknown;
  /** Aborted when the client goes, or the server stops. */
  signal: AbortSignal;
}

/** A status and no more, a body as JSON, or lines of JSON as they come. */
export interface ControlReply {
  /** Default 200. */
  status?: number;
  body?: unknown;
  /** They end by themselves when the signal of the call is aborted. */
  lines?: AsyncIterable<unknown>;
}

/**
 * One row. A FrameworkError that `answer` throws is told with its status.
 *
 *     { method: "GET", path: "/things/:name", answer: ({ params }) => ({ body: things.get(params.name) }) }
 */
export interface ControlRoute {
  /** HEAD is answered by GET. */
  method: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  answer(call: ControlCall): ControlReply | Promise<ControlReply>;
}

export interface RouteMatch {
  route: ControlRoute;
  params: Record<string, string>;
}

/** The routes of a path by their method; none when nobody knows the path. */
export function matchRoutes(routes: readonly ControlRoute[], path: string): Map<string, RouteMatch> {
  const matches = new Map<string, RouteMatch>();
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (params && !matches.has(route.method)) matches.set(route.method, { route, params });
  }
  return matches;
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== given.length) return undefined;
  const params: [string, string][] = [];
  for (const [index, segment] of wanted.entries()) {
    const part = given[index] ?? "";
    if (segment.startsWith(":") && part !== "") params.push([segment.slice(1), decodePercent(part)]);
    else if (segment !== part) return undefined;
  }
  return Object.fromEntries(params);
}
