/** `--retry`: how often one delivery is tried in the process, and the pauses between. */
import type { BackoffRule } from "./backoff";
import { messageOf } from "./errors";
import { readJson } from "./json";
import { describe, isRecord } from "./value";

export interface RetryRule {
  /** Calls of the function for one delivery, the first one included. */
  maxAttempts: number;
  backoff: BackoffRule;
}

export const retryExample = '{"maxAttempts":5,"backoff":{"initial":200,"factor":2,"max":10000}}';

/** What a part of the backoff is when it is not given. */
const defaultBackoff: BackoffRule = { initial: 200, factor: 2, max: 10_000 };

const hour = 3_600_000; // ms
const bounds: Record<keyof BackoffRule, [min: number, max: number]> = {
  initial: [0, hour],
  factor: [1, 100],
  max: [0, hour],
};

/** The rule, or every problem of the text with its JSON path. */
export function readRetryRule(text: string): { rule: RetryRule } | { problems: string[] } {
  let value: unknown;
  try {
    value = readJson(text);
  } catch (err) {
    return { problems: [messageOf(err)] };
  }
  if (!isRecord(value)) return { problems: [`it must be an object, not ${describe(value)}`] };
  const problems = unknownFields(value, ["maxAttempts", "backoff"], "");
  const { maxAttempts, backoff = {} } = value;
  if (!isWithin(maxAttempts, 1, 100) || !Number.isInteger(maxAttempts))
    problems.push(`maxAttempts must be a whole number from 1 to 100, not ${describe(maxAttempts)}`);
  const rule = { maxAttempts: Number(maxAttempts), backoff: readBackoff(backoff, problems) };
  return problems.length > 0 ? { problems } : { rule };
}

function readBackoff(given: unknown, problems: string[]): BackoffRule {
  if (!isRecord(given)) {
    problems.push(`backoff must be an object, not ${describe(given)}`);
    return defaultBackoff;
  }
  problems.push(...unknownFields(given, Object.keys(bounds), "backoff."));
  const rule = { ...defaultBackoff, ...given } as BackoffRule;
  for (const [field, [min, max]] of Object.entries(bounds)) {
    const value = rule[field as keyof BackoffRule];
    if (!isWithin(value, min, max))
      problems.push(`backoff.${field} must be a number from ${min} to ${max}, not ${describe(value)}`);
  }
  return { ...rule, max: Math.max(rule.initial, rule.max) };
}

function isWithin(value: unknown, min: number, max: number): boolean {
  return typeof value === "number" && value >= min && value <= max;
}

function unknownFields(value: object, known: string[], path: string): string[] {
  const unknown = Object.keys(value).filter((field) => !known.includes(field));
  return unknown.map((field) => `${path}${field} is no field of it: there are ${known.join(" and ")}`);
}
