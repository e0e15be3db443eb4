/** Choices that can be repeated: one generator a case, so that no case depends on those before it. */
export class Random {
  #state: number;

  constructor(seed: number, index: number) {
    this.#state = scatter(scatter(seed) + index) || 1; // zero is where a xorshift stays for ever
  }

  /** An integer from 0 to below the limit. */
  below(limit: number): number {
    return Math.floor((this.#next() / 2 ** 32) * limit);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** Small numbers often, those near the limit rarely. */
  skewed(limit: number): number {
    return this.below(this.below(limit) + 1);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** One of the rows, by their weights. */
  weighted<T>(rows: readonly (readonly [weight: number, value: T])[]): T {
    let rest = this.below(rows.reduce((sum, [weight]) => sum + weight, 0));
    const row = rows.find(([weight]) => {
      rest -= weight;
      return rest < 0;
    });
    return (row as readonly [number, T])[1];
  }

  times<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }

  bytes(length: number): Buffer {
    return Buffer.from(this.times(length, () => this.below(256)));
  }

  /** A text of the given characters. */
  text(length: number, characters = "abcdefghijklmnopqrstuvwxyz0123456789"): string {
    return this.times(length, () => characters[this.below(characters.length)]).join("");
  }

  /** Places to cut something of that length, in order. */
  cuts(length: number, count: number): number[] {
    return this.times(count, () => this.below(length + 1)).sort((one, other) => one - other);
  }

  #next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.imul(this.#state, 0x9e3779b1) >>> 0;
  }
}

// Neighbouring numbers must not begin alike.
function scatter(number: number): number {
  const half = Math.imul(number ^ (number >>> 16), 0x45d9f3b);
  return half ^ (half >>> 15);
}
