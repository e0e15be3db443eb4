/** JSON values, with the names and depths that break careless code. */
import type { Random } from "./random";

export function drawValue(random: Random, depth = 3): unknown {
  if (depth === 0 || random.chance(35)) return random.pick(scalars);
  if (random.chance(30)) return random.times(random.skewed(5), () => drawValue(random, depth - 1));
  // Not a literal: in one, `__proto__` is no member.
  return Object.fromEntries(
    random.times(random.skewed(6), () => [random.pick(names), drawValue(random, depth - 1)]),
  );
}

/** A text of JSON that nests far deeper than anything sane. */
export function drawDeepJson(random: Random): string {
  const depth = random.pick([100, 1_000, 5_000, 10_000]);
  const [open, inner, close] = random.pick([
    ["[", "", "]"],
    ['{"a":', "1", "}"],
    ['[{"__proto__":', "null", "}]"],
  ] as const);
  return open.repeat(depth) + inner + close.repeat(depth);
}

const scalars: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  0.1,
  Number.MAX_SAFE_INTEGER,
  "",
  "a",
  "ä€😀",
  "\ud800",
  "\u0000",
  "\r\nX-Evil: 1",
  "__proto__",
  "1.0",
  "x".repeat(500),
];

const names = [
  "a",
  "b",
  "data",
  "id",
  "type",
  "source",
  "specversion",
  "message",
  "numbers",
  "status",
  "statusCode",
  "then",
  "toJSON",
  "__proto__",
  "constructor",
  "prototype",
  "hasOwnProperty",
  "length",
  "",
  "ä",
  "a b",
  "\r\n",
];
