/** Which of several functions a request is for, by path and method. */
import { createRequire } from "node:module";

import type * as PathToRegexp from "path-to-regexp";

import { frameworkError, messageOf } from "../core/errors";
import { pathOf, splitTarget } from "../core/url";
import { acceptsMethod, refuse, refuseMethod } from "./refuse";
import type { RequestHandler } from "./server";

/** A function with the requests it answers. */
export interface Endpoint {
  name: string;
  /** A pattern in Express 5's syntax; undefined: `/NAME` and all below it. */
  path: string | undefined;
  /** In upper case; undefined: all. */
  methods: readonly string[] | undefined;
  handle: RequestHandler;
}

interface Route extends Endpoint {
  /** The parameters of a path that fits. */
  match(path: string): Record<string, string | string[]> | undefined;
  isMount: boolean;
}

/**
 * A handler that finds the endpoint of a request: fixed paths first, then those with parameters, then `/NAME` and all
 * below it, then those with a wildcard. 404 without one, 405 when only the method does not fit.
 * Errors: FF_FUNCTION_OPTIONS for a path that is no pattern, FF_FUNCTION_ROUTES for two functions on one path and method.
 */
export function createRouter(endpoints: readonly Endpoint[]): RequestHandler {
  const routes = endpoints.map(compile).sort((one, other) => rank(one) - rank(other));
  assertDistinct(routes);

  return (req, res) => {
    const path = pathOf(req.url);
    const allowed = new Set<string>();
    for (const route of routes) {
      const params = route.match(path);
      if (params === undefined) continue;
      if (!acceptsMethod(route.methods, req.method)) {
        for (const method of route.methods ?? []) allowed.add(method);
        continue;
      }
      if (route.isMount) mount(req, `/${route.name}`);
      else req.params = params as typeof req.params;
      return route.handle(req, res);
    }
    if (allowed.size > 0) refuseMethod(req, res, [...allowed]);
    else refuse(res, frameworkError("FF_PATH_NOT_FOUND", { method: req.method, path }));
  };
}

const load = createRequire(__filename);

function compile(endpoint: Endpoint): Route {
  const { name, path } = endpoint;
  if (path === undefined) {
    const prefix = `/${name}`;
    const isBelow = (given: string) => given === prefix || given.startsWith(`${prefix}/`);
    return { ...endpoint, isMount: true, match: (given) => (isBelow(given) ? {} : undefined) };
  }
  try {
    const { match } = load("path-to-regexp") as typeof PathToRegexp;
    const find = match<Record<string, string | string[]>>(path);
    return { ...endpoint, isMount: false, match: (given) => (find(given) || undefined)?.params };
  } catch (err) {
    throw frameworkError("FF_FUNCTION_OPTIONS", {
      name,
      why: `its path "${path}" is not understood: ${messageOf(err)}`,
    });
  }
}

function rank({ path, isMount }: Route): number {
  if (isMount || path === undefined) return 2;
  if (path.includes("*")) return 3;
  return /[:{]/.test(path) ? 1 : 0;
}

// As Express mounts: the function sees the rest of the path, `baseUrl` what was cut off.
function mount(req: Parameters<RequestHandler>[0], prefix: string): void {
  const { origin, local } = splitTarget(req.url);
  const rest = local.slice(prefix.length);
  req.url = origin + (rest.startsWith("/") ? rest : `/${rest}`);
  req.baseUrl = prefix;
}

function assertDistinct(routes: readonly Route[]): void {
  for (const [index, one] of routes.entries()) {
    for (const other of routes.slice(index + 1)) {
      if (shape(one) !== shape(other)) continue;
      const method = sharedMethod(one, other);
      if (method === undefined) continue;
      const route = `${method} ${one.path ?? `/${one.name}`}`;
      throw frameworkError("FF_FUNCTION_ROUTES", { names: [one.name, other.name], route });
    }
  }
}

// Undefined when every request is for one of them alone. A HEAD of its own is in the way of a GET, which brings one.
function sharedMethod(one: Route, other: Route): string | undefined {
  const stated = [one.methods, other.methods].flatMap((methods) => methods ?? []);
  if (stated.length === 0) return "requests";
  return stated.find((method) => acceptsMethod(one.methods, method) && acceptsMethod(other.methods, method));
}

// Two patterns are one when they differ in the names of their parameters alone.
function shape({ path, name }: Route): string {
  return (path ?? `/${name}`)
    .toLowerCase()
    .replace(/([:*])(?:\w+|"[^"]*")/g, "$1")
    .replace(/(?<=.)\/$/, "");
}
