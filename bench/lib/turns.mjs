/**
 * Measures every item once a round, in an order that rotates, so that a slow minute of the machine and the place in
 * the round hit all of them alike. Gives the samples by item.
 */
export async function inTurns(items, rounds, measure) {
  const samples = items.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < items.length; turn++) {
      const index = (round + turn) % items.length;
      samples[index].push(await measure(items[index], round));
    }
  }
  return samples;
}
