/** What was wanted in the last seconds, averaged over time. */

export interface DemandHistory {
  /** From `now` on it is this much. */
  record(now: number, demand: number): void;
  /** Over the last so many milliseconds, or since it began again after a silence. */
  average(now: number, window: number): number;
}

const step = 1_000; // ms

/** Remembers `longest` milliseconds in buckets of a second: a record costs the same under any load. */
export function createHistory(start: number, longest: number): DemandHistory {
  const buckets = new Float64Array(longest / step); // demand × milliseconds
  let demand = 0;
  let since = start;
  let last = start;

  const bucketOf = (time: number) => Math.floor(time / step);

  /** Adds what was wanted between the last time and now. */
  function advance(now: number): void {
    if (now - last >= longest) {
      buckets.fill(0);
      if (demand === 0) since = now; // a silence: what came before says nothing of what comes
      last = (bucketOf(now) - buckets.length + 1) * step;
    }
    while (last < now) {
      const bucket = bucketOf(last);
      const next = (bucket + 1) * step;
      const end = Math.min(next, now);
      buckets[bucket % buckets.length] = (buckets[bucket % buckets.length] ?? 0) + demand * (end - last);
      if (end === next) buckets[(bucket + 1) % buckets.length] = 0; // it holds what was a whole round ago
      last = end;
    }
  }

  return {
    record(now, next) {
      advance(now);
      demand = next;
    },
    average(now, window) {
      advance(now);
      const first = bucketOf(now) - window / step + 1;
      const duration = now - Math.max(first * step, since);
      if (duration <= 0) return demand;
      let sum = 0;
      for (let bucket = first; bucket <= bucketOf(now); bucket++)
        sum += buckets[bucket % buckets.length] ?? 0;
      return sum / duration;
    },
  };
}
