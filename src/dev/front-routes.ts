/** Which function a request to the address in front is for, and what it asks of it. */
import { splitTarget } from "../core/url";
import type { FunctionPlan } from "./plan";

export interface FrontRoute {
  function: string;
  /** Path and query as the function sees them; undefined: as the client has sent them. */
  path: string | undefined;
}

/** Takes what stands on the request line; undefined when no function answers there. */
export type FindRoute = (target: string) => FrontRoute | undefined;

/**
 * `/NAME` and all below it is the function's: it sees the rest of the path, as if it were served alone. What is left
 * over goes to the only HTTP function, or to the only function.
 */
export function createFrontRoutes(functions: readonly Pick<FunctionPlan, "name" | "isAsync">[]): FindRoute {
  const names = new Set(functions.map(({ name }) => name));
  const alone = onlyOf(functions.filter(({ isAsync }) => !isAsync)) ?? onlyOf(functions);

  return (target) => {
    const { local } = splitTarget(target);
    const [, name = "", rest = ""] = /^\/([^/?]*)(.*)$/s.exec(local) ?? [];
    if (names.has(name)) return { function: name, path: rest.startsWith("/") ? rest : `/${rest}` };
    return alone && { function: alone.name, path: undefined };
  };
}

function onlyOf<T>([first, ...others]: readonly T[]): T | undefined {
  return others.length === 0 ? first : undefined;
}
