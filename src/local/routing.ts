/** Routing rules of a subscription: which path of the app gets an event, by expressions in CEL over `event`. */
import { frameworkError, messageOf } from "../core/errors";
import { log, logError } from "../core/log";
import { loadCel } from "./cel";

export interface RoutingRule {
  /** Empty: every event. */
  match: string;
  path: string;
}

/** The path for an event; undefined when no rule matches and there is no default. */
export type ChoosePath = (event: Record<string, unknown> | undefined) => string | undefined;

/** Rules are tried in order. One that is broken is told, and matches nothing. */
export function createRouting(rules: readonly RoutingRule[], fallback: string | undefined): ChoosePath {
  if (rules.length === 0) return () => fallback;
  const { parse } = loadCel();
  const compiled = rules.map(({ match, path }) => ({ path, matches: compile(match) }));

  function compile(match: string): (event: object) => boolean {
    if (match.trim() === "") return () => true;
    let evaluate: (context: object) => unknown;
    try {
      evaluate = parse(match);
    } catch (err) {
      logError(frameworkError("FF_SUBSCRIPTION_RULE", { match, why: firstLine(err) }));
      return () => false;
    }
    return (event) => {
      try {
        return evaluate({ event }) === true;
      } catch (err) {
        log.debug(`The rule "${match}" does not apply to an event: ${firstLine(err)}`); // such as a field it has not
        return false;
      }
    };
  }

  return (event = {}) => compiled.find(({ matches }) => matches(event))?.path ?? fallback;
}

function firstLine(err: unknown): string {
  return messageOf(err).split("\n", 1)[0] as string;
}
