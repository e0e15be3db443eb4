/** Dapr's rules for metadata: names are compared in any case, values are texts. */

/** The value of a name, or undefined. */
export function metadataValue(metadata: Record<string, string>, name: string): string | undefined {
  const found = Object.keys(metadata).find((key) => key.toLowerCase() === name.toLowerCase());
  return found === undefined ? undefined : metadata[found];
}

/** y, yes, true, t, on, 1 in any case are true, anything else is false. */
export function isTrueWord(word: string | undefined): boolean {
  return word !== undefined && /^(y|yes|true|t|on|1)$/i.test(word);
}
