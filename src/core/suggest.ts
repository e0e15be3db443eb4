/** The known name nearest to what was given, or undefined when none is near enough to be meant. */
export function nearest(given: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    const sharesNothing = distance >= Math.max(given.length, name.length);
    if (distance < bestDistance && !sharesNothing) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** The known name that was mistyped: one letter is missing, too much or another, or two are swapped. */
export function mistyped(given: string, known: Iterable<string>): string | undefined {
  for (const name of known) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance <= 1 || (distance === 2 && sorted(given) === sorted(name))) return name;
  }
  return undefined;
}

function sorted(word: string): string {
  return [...word.toLowerCase()].sort().join("");
}

/** The choices of a sentence, quoted. */
export function listed(names: Iterable<string>, none = "none"): string {
  const quoted = [...names].map((name) => `"${name}"`);
  return quoted.length > 0 ? quoted.join(", ") : none;
}

// Levenshtein distance, one row at a time.
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
