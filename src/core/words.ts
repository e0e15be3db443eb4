/** Dapr's rule for boolean words in metadata: y, yes, true, t, on, 1 in any case are true, anything else is false. */
export function isTrueWord(word: string | undefined): boolean {
  return word !== undefined && /^(y|yes|true|t|on|1)$/i.test(word);
}
