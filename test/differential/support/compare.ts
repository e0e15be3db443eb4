/** Two answers, and what differs between them as short lines. */
import type { Answer } from "./exchange";

/**
 * `200 → 400` (the end of the exchange), `+Name: value` and `-Name: value` (only ours or only theirs),
 * `Name: value → value`, `order of headers`, `body`; for JSON on both sides one line per value, `body.a.b: 1 → 2`.
 * When either side has no whole answer, there is nothing more to compare than that.
 */
export function differencesOf(theirs: Answer, ours: Answer): string[] {
  const lines = theirs.end === ours.end ? [] : [`${theirs.end} → ${ours.end}`];
  if (!isWhole(theirs) || !isWhole(ours)) return lines;
  const isSameBody = theirs.body.equals(ours.body);
  const isHead = isSameBody && ours.body.length === 0;
  // The length of another body is no news of its own, and after HEAD it stands for a body that nobody sees.
  const compared = ({ headers }: Answer): Headers =>
    headers.flatMap(([name, value]) => {
      if (name !== "Content-Length" || (isSameBody && !isHead)) return [[name, value]];
      return isHead ? [[name, value === "0" ? value : "a number"]] : [];
    });
  lines.push(...headerLines(compared(theirs), compared(ours)));
  if (!isSameBody) lines.push(...bodyLines(theirs.body, ours.body));
  return lines;
}

const isWhole = ({ end }: Answer) => end === "closed" || /^\d+$/.test(end);

type Headers = Answer["headers"];

function headerLines(theirs: Headers, ours: Headers): string[] {
  const names = [...new Set([...theirs, ...ours].map(([name]) => name))];
  const lines = names.flatMap((name) => {
    const [theirValue, ourValue] = [theirs, ours].map((headers) => headerOf(headers, name));
    if (theirValue === ourValue) return [];
    if (theirValue === undefined) return [`+${name}: ${ourValue}`];
    if (ourValue === undefined) return [`-${name}: ${theirValue}`];
    return [`${name}: ${theirValue} → ${ourValue}`];
  });
  const [theirOrder, ourOrder] = [theirs, ours].map((headers) =>
    names
      .filter((name) => headerOf(theirs, name) !== undefined && headerOf(ours, name) !== undefined)
      .toSorted((one, other) => place(headers, one) - place(headers, other))
      .join(),
  );
  return theirOrder === ourOrder ? lines : [...lines, "order of headers"];
}

function bodyLines(theirs: Buffer, ours: Buffer): string[] {
  try {
    return valueLines("body", JSON.parse(theirs.toString("utf8")), JSON.parse(ours.toString("utf8")));
  } catch {
    return ["body"];
  }
}

function valueLines(path: string, theirs: unknown, ours: unknown): string[] {
  const [theirText, ourText] = [theirs, ours].map((value) =>
    value === undefined ? "–" : JSON.stringify(value),
  );
  if (theirText === ourText) return [];
  if (!isObject(theirs) || !isObject(ours)) return [`${path}: ${theirText} → ${ourText}`];
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])];
  return names.flatMap((name) => valueLines(`${path}.${name}`, theirs[name], ours[name]));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function headerOf(headers: Headers, name: string): string | undefined {
  const values = headers.filter(([one]) => one === name).map(([, value]) => value);
  return values.length > 0 ? values.join(" | ") : undefined;
}

const place = (headers: Headers, name: string) => headers.findIndex(([one]) => one === name);
